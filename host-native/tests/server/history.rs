//! Random histories: every page of every list is what a plain model says, and stays so where old history
//! is forgotten.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate::{AllowedOrigins, Database, SqliteOptions, SqliteStore, SystemRandomness};
use tidegate_core::service::{Clock, Service, Settings};

/// A clock that the test moves.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now_unix_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn pause(&self, _: u64) {
        tokio::task::yield_now().await;
    }
}

const BEGIN: i64 = 1_700_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// A snapshot of a scope: which of the ids, each with which value.
    Bulk {
        scope: usize,
        items: Vec<(u8, u8)>,
    },
    Event {
        scope: usize,
        id: u8,
        value: u8,
    },
    Remove {
        scope: usize,
        id: u8,
    },
    /// Forget what was recorded until so many milliseconds before now.
    Forget(i64),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let scope = 0..SCOPES.len();
    let items =
        prop::collection::btree_map(0..6u8, 0..3u8, 0..5).prop_map(|items| items.into_iter().collect());
    prop::collection::vec(
        prop_oneof![
            4 => (scope.clone(), 0..6u8, 0..3u8).prop_map(|(scope, id, value)| Step::Event { scope, id, value }),
            2 => (scope.clone(), items).prop_map(|(scope, items)| Step::Bulk { scope, items }),
            2 => (scope, 0..6u8).prop_map(|(scope, id)| Step::Remove { scope, id }),
            1 => (1..12i64).prop_map(Step::Forget),
            2 => (1..4i64).prop_map(Step::Wait),
        ],
        1..60,
    )
}

/// Integration, table, group key.
const SCOPES: [(usize, &str, &str); 5] =
    [(0, "a", ""), (0, "a", "k"), (0, "b", ""), (1, "a", ""), (1, "b", "k")];

struct Site {
    runtime: tokio::runtime::Runtime,
    service: Service<SqliteStore, Hand, SystemRandomness>,
    keys: Vec<String>,
}

impl Site {
    fn new(hand: Hand) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settings = Settings { admin_token: "token".into(), allowed_origins: AllowedOrigins::default() };
        let store = {
            let _inside = runtime.enter();
            SqliteStore::open(&Database::Memory, &SqliteOptions::default()).unwrap()
        };
        let service = Service::new(store, hand, SystemRandomness, settings);
        let mut site = Self { runtime, service, keys: Vec::new() };
        site.ask("POST", "/api/v1/groups", r#"{"name":"G","prefix":"g"}"#);
        for table in ["a", "b"] {
            let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "v": {"type": "integer"}},
                "resmo": {"id": "id"}});
            let body = json!({"group": "g", "name": table, "table": table, "schema": schema});
            site.ask("POST", "/api/v1/schemas", &body.to_string());
        }
        for name in ["one", "two"] {
            let answer =
                site.ask("POST", "/api/v1/integrations", &json!({"name": name, "group": "g"}).to_string());
            site.keys.push(answer["ingestKey"].as_str().unwrap().to_owned());
        }
        site
    }

    fn send(&self, method: &str, target: &str, body: &str, key: &str) -> (u16, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .header("authorization", "Bearer token")
            .header("x-ingest-key", key);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut body = Bytes::copy_from_slice(body.as_bytes());
        let answer = self.runtime.block_on(self.service.handle(parts, &mut body));
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Value {
        let (status, answer) = self.send(method, target, body, "");
        assert!(status < 300, "{method} {target}: {status} {answer}");
        answer
    }

    /// All pages of a list, or the problem that one of them was.
    fn list(&self, target: &str, limit: usize) -> Result<Vec<Value>, Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let (status, page) = self.send("GET", &format!("{target}&limit={limit}{cursor}"), "", "");
            if status != 200 {
                return Err(page);
            }
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    fn ingest(&self, scope: usize, what: &str, method: &str, body: &str) {
        let (integration, table, key) = SCOPES[scope];
        let target = format!("/integration/custom-data/{what}{table}?groupKey={key}");
        let (status, answer) = self.send(method, &target, body, &self.keys[integration]);
        assert!(status < 300, "{target}: {status} {answer}");
    }

    fn perform(&self, step: &Step, model: &mut Model) {
        let item = |id: u8, value: u8| json!({"id": id.to_string(), "v": value});
        match step {
            Step::Event { scope, id, value } => {
                self.ingest(*scope, "event/", "POST", &item(*id, *value).to_string());
                model.state[*scope].insert(*id, *value);
            }
            Step::Bulk { scope, items } => {
                let all: Vec<_> = items.iter().map(|(id, value)| item(*id, *value)).collect();
                self.ingest(*scope, "bulk-event/", "POST", &Value::from(all).to_string());
                model.state[*scope] = items.iter().copied().collect();
            }
            Step::Remove { scope, id } => {
                let (integration, table, key) = SCOPES[*scope];
                let target = format!("/integration/custom-data/{table}?groupKey={key}&resourceIds={id}");
                let (status, answer) = self.send("DELETE", &target, "", &self.keys[integration]);
                assert!(status < 300, "{target}: {status} {answer}");
                model.state[*scope].remove(id);
            }
            Step::Forget(_) | Step::Wait(_) => {}
        }
    }
}

type State = Vec<BTreeMap<u8, u8>>;

/// What is, and what was after each millisecond.
struct Model {
    state: State,
    at: BTreeMap<i64, State>,
}

fn at(millis: i64) -> String {
    let of_day = millis - BEGIN;
    format!("2023-11-14T22:13:{:02}.{:03}Z", 20 + of_day / 1000, of_day % 1000)
}

fn millis(time: &str) -> i64 {
    let (_, seconds) = time.trim_end_matches('Z').rsplit_once(':').unwrap();
    let (seconds, millis) = seconds.split_once('.').unwrap();
    BEGIN + (seconds.parse::<i64>().unwrap() - 20) * 1000 + millis.parse::<i64>().unwrap()
}

/// What a resource or a change is about: integration, table, group key, id.
fn place(integration: &Value, table: &Value, key: &Value, id: &Value) -> String {
    format!("{} {} {} {}", integration["name"], table, key, id)
}

fn resources(items: &[Value]) -> BTreeMap<String, i64> {
    items
        .iter()
        .map(|item| {
            let meta = &item["_meta"];
            let place = place(&meta["integration"], &meta["type"], &meta["groupKey"], &meta["id"]);
            (place, item["v"].as_i64().unwrap())
        })
        .collect()
}

fn expected(state: &State) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for ((integration, table, key), ids) in SCOPES.iter().zip(state) {
        for (id, value) in ids {
            let name = ["one", "two"][*integration];
            let place = format!("\"{name}\" \"_g_{table}\" \"{key}\" \"{id}\"");
            all.insert(place, i64::from(*value));
        }
    }
    all
}

/// A change without what is random.
fn plain(change: &Value) -> Value {
    let mut change = change.clone();
    let members = change.as_object_mut().unwrap();
    members.remove("changeId");
    members["integration"].as_object_mut().unwrap().remove("id");
    change
}

fn filters() -> impl Strategy<Value = (String, usize)> {
    let one = |texts: &'static [&'static str]| prop::sample::select(texts);
    (
        one(&["", "&table=a", "&table=_g_b", "&table=none"]),
        one(&["", "", "&integration=two"]),
        one(&["", "", "&groupKey=", "&groupKey=k"]),
        one(&["", "&id=3"]),
        1..9usize,
    )
        .prop_map(|(table, integration, key, id, limit)| (format!("{table}{integration}{key}{id}"), limit))
}

/// Whether a resource's or change's place passes a filter.
fn passes(filter: &str, integration: &Value, table: &Value, key: &Value, id: &Value) -> bool {
    filter.split('&').filter(|part| !part.is_empty()).all(|part| {
        let (name, value) = part.split_once('=').unwrap();
        match name {
            "table" => *table == value || *table == format!("_g_{value}"),
            "integration" => integration["name"] == value,
            "groupKey" => *key == value,
            _ => *id == value,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_are_what_a_model_says_and_forgetting_changes_nothing_that_is_kept(
        steps in steps(),
        filters in prop::collection::vec(filters(), 4),
    ) {
        let hand = Hand(Arc::new(AtomicI64::new(BEGIN)));
        let (whole, kept) = (Site::new(hand.clone()), Site::new(hand.clone()));
        let empty = vec![BTreeMap::new(); SCOPES.len()];
        let mut model = Model { state: empty.clone(), at: BTreeMap::from([(BEGIN, empty.clone())]) };
        let mut other = Model { state: empty, at: BTreeMap::new() };
        let mut horizon = i64::MIN;
        for step in &steps {
            whole.perform(step, &mut model);
            kept.perform(step, &mut other);
            let now = hand.now_unix_millis();
            model.at.insert(now, model.state.clone());
            match step {
                Step::Forget(before) => {
                    let until = now - before;
                    while kept.runtime.block_on(kept.service.forget(until)).unwrap() {}
                    horizon = horizon.max(until);
                }
                Step::Wait(millis) => drop(hand.0.fetch_add(*millis, Ordering::Relaxed)),
                _ => {}
            }
        }
        let now = hand.now_unix_millis();

        // As of every time.
        for time in BEGIN..=now {
            let state = model.at.range(..=time).next_back().unwrap().1;
            for (filter, limit) in filters.iter().chain([&(String::new(), 7)]) {
                let listed = |state: &State| -> BTreeMap<String, i64> {
                    expected(state)
                        .into_iter()
                        .filter(|(place, _)| {
                            let parts: Vec<Value> =
                                place.split(' ').map(|part| serde_json::from_str(part).unwrap()).collect();
                            passes(filter, &json!({"name": parts[0]}), &parts[1], &parts[2], &parts[3])
                        })
                        .collect()
                };
                let target = format!("/api/v1/resources?at={}{filter}", at(time));
                let items = whole.list(&target, *limit).unwrap();
                prop_assert_eq!(items.len(), listed(state).len());
                prop_assert_eq!(resources(&items), listed(state), "{}", target);
                match kept.list(&target, *limit) {
                    Ok(items) => prop_assert_eq!(resources(&items), listed(state), "{}", target),
                    Err(problem) => {
                        prop_assert!(time < horizon, "{target}: {problem}");
                        prop_assert_eq!(&problem["parameter"], "at");
                        prop_assert!(problem["detail"].as_str().unwrap().starts_with("history is kept since"));
                    }
                }
                if time == now {
                    for site in [&whole, &kept] {
                        let items = site.list(&format!("/api/v1/resources?{filter}"), *limit).unwrap();
                        prop_assert_eq!(resources(&items), listed(state), "{}", filter);
                    }
                }
            }
        }

        // The feed, filtered in every way, is the whole feed with the others taken out.
        let all = whole.list("/api/v1/changes?order=asc", 1000).unwrap();
        for (filter, limit) in &filters {
            for change in ["", "added", "modified", "removed"] {
                let wanted: Vec<&Value> = all
                    .iter()
                    .filter(|item| change.is_empty() || item["type"] == change)
                    .filter(|item| passes(filter, &item["integration"], &item["table"], &item["groupKey"], &item["id"]))
                    .collect();
                let kind = if change.is_empty() { String::new() } else { format!("&type={change}") };
                let target = format!("/api/v1/changes?{filter}{kind}");
                let ascending = whole.list(&format!("{target}&order=asc"), *limit).unwrap();
                prop_assert_eq!(ascending.iter().collect::<Vec<_>>(), wanted.clone(), "{}", target);
                let descending = whole.list(&target, *limit).unwrap();
                prop_assert_eq!(descending.iter().rev().collect::<Vec<_>>(), wanted.clone(), "{}", target);
                if let Some(middle) = all.get(all.len() / 2) {
                    let after = format!("{target}&after={}", middle["changeId"].as_str().unwrap());
                    let position = |item: &Value| all.iter().position(|other| other == item).unwrap();
                    let behind: Vec<&Value> =
                        wanted.iter().copied().filter(|item| position(item) > all.len() / 2).collect();
                    let items = whole.list(&after, *limit).unwrap();
                    prop_assert_eq!(items.iter().collect::<Vec<_>>(), behind, "{}", after);
                }
            }
        }

        // What is younger than the horizon is there, each with what was before it.
        let left = kept.list("/api/v1/changes?order=asc", 3).unwrap();
        let young = |changes: &[Value]| -> Vec<Value> {
            changes.iter().filter(|item| millis(item["recordedAt"].as_str().unwrap()) > horizon).map(plain).collect()
        };
        prop_assert_eq!(young(&left), young(&all));
        // What is left makes the state that is.
        let mut replayed = BTreeMap::new();
        for item in &left {
            let place = place(&item["integration"], &item["table"], &item["groupKey"], &item["id"]);
            match item["after"]["v"].as_i64() {
                Some(value) => drop(replayed.insert(place, value)),
                None => drop(replayed.remove(&place)),
            }
        }
        prop_assert_eq!(replayed, expected(&model.state));
        // Who goes on after a change gets all that came after it, or is told. Of what is older than the
        // horizon, what was before it may be forgotten.
        let plain = |item: &Value| {
            let mut change = plain(item);
            if millis(item["recordedAt"].as_str().unwrap()) <= horizon {
                change.as_object_mut().unwrap().remove("before");
            }
            change
        };
        for item in &left {
            let target = format!("/api/v1/changes?after={}", item["changeId"].as_str().unwrap());
            match kept.list(&target, 1000) {
                Ok(rest) => {
                    let rest: Vec<_> = rest.iter().map(plain).collect();
                    let plain_all: Vec<_> = all.iter().map(plain).collect();
                    prop_assert!(plain_all.ends_with(&rest));
                    let left_behind = left.iter().skip_while(|other| *other != item).count() - 1;
                    prop_assert_eq!(rest.len(), left_behind);
                }
                Err(problem) => {
                    prop_assert_eq!(&problem["parameter"], "after");
                    prop_assert!(millis(item["recordedAt"].as_str().unwrap()) <= horizon, "{}", problem);
                }
            }
        }
        // Most of what was forgotten is really gone: of each resource one change at the most is left. What
        // was recorded at the horizon itself may have come after the forgetting.
        let old = left.iter().filter(|item| millis(item["recordedAt"].as_str().unwrap()) < horizon);
        let mut places: Vec<_> =
            old.map(|item| place(&item["integration"], &item["table"], &item["groupKey"], &item["id"])).collect();
        let number = places.len();
        places.sort();
        places.dedup();
        prop_assert_eq!(places.len(), number);
    }
}
