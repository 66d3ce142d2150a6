//! Payloads in, changes out: the three ingest routes and the manifest.

use http::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use http::{StatusCode, header};

use super::answer::Answer;
use super::failure::{Failure, Handled};
use super::host::{Body, Clock, Configuration, Randomness, Sql};
use super::json::Object;
use super::request::{Parameters, read_body, require_json};
use super::route::Action;
use super::store::{
    Admission, After, Commit, CommittedChange, Expected, RefusalKind, Scope, StoreError, Table,
};
use super::{RequestFacts, Secret, Service, entity_tag};
use crate::check::{CheckOptions, CheckedItem};
use crate::diff::differing_fields;
use crate::digest::Digest;
use crate::document::{Document, write_string};
use crate::limits;
use crate::plan::{ChangeType, Manifest, Plan, PlannedChange};
use crate::problem::Code;
use crate::report::{ChangeReport, ProblemDetails};
use crate::schema::PreparedSchema;

/// How often a request plans at the most when others keep changing what it planned from, and after
/// how many milliseconds it gives up before that. In one process requests take turns, so this is
/// for the other instances on the same database.
const ATTEMPTS: usize = 100;
const PATIENCE: i64 = 10_000;
/// A key's last use is noted at most this often, in milliseconds.
pub(super) const KEY_USE_GRAIN: i64 = 10_000;
/// How many bytes of stored payloads are compared at a time.
const COMPARED_BYTES: i64 = 4 * 1024 * 1024;

/// The verdict on a payload that passes.
const PASSED: &str = "passed";

/// What a request says besides its payload.
struct Request {
    group_key: String,
    event: Option<String>,
    /// JSON text.
    actor: Option<String>,
    dry_run: bool,
    details: bool,
    guard: Option<Guard>,
    ids: Vec<String>,
}

/// How much a bulk may remove.
#[derive(Debug, Clone, Copy)]
enum Guard {
    Count(u64),
    Percent(u64),
}

impl Guard {
    /// The most resources that may go, of so many that are there.
    fn limit(self, stored: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => stored.saturating_mul(percent) / 100,
        }
    }
}

/// Who asks, and for which table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    admission: Admission,
    table: Table,
    /// Whether it was remembered, and has to be confirmed before anything is answered.
    remembered: bool,
}

impl Entry {
    /// The same, as it is remembered.
    pub(super) fn to_be_confirmed(&self) -> Self {
        Self { remembered: true, ..self.clone() }
    }
}

/// What planning found, ready to be committed.
struct Planned {
    plan: Plan,
    /// The fields of each change, beside the plan's changes.
    fields: Vec<Vec<String>>,
    expected: Expected,
    /// The change that each resource is at, where the plan rests on that.
    bases: Vec<Option<i64>>,
    /// What the declarations were at while planning, where that was looked at.
    generation: Option<i64>,
}

/// Where a change record is.
struct Committed {
    commit_id: String,
}

impl Request {
    fn read(parameters: &Parameters<'_>, action: Action) -> Handled<Self> {
        let actor = parameters.text("actor", limits::ACTOR_CHARS)?;
        let actor = match actor {
            None => None,
            Some(text) => match Document::parse(text.as_bytes()) {
                Ok(document) => Some(document.root().to_text()),
                Err(error) => {
                    return Err(Failure::parameter(
                        "actor",
                        format!("the parameter `actor` is JSON: {error}"),
                    ));
                }
            },
        };
        let ids = if action == Action::Delete { parameters.list("resourceIds")? } else { Vec::new() };
        if action == Action::Delete && ids.is_empty() {
            return Err(Failure::parameter(
                "resourceIds",
                "the parameter `resourceIds` names what to remove",
            ));
        }
        Ok(Self {
            group_key: parameters.text("groupKey", limits::GROUP_KEY_CHARS)?.unwrap_or_default(),
            event: parameters.text("event", limits::EVENT_CHARS)?,
            actor,
            dry_run: parameters.boolean("dryRun")?,
            details: if action == Action::Bulk { parameters.boolean("details")? } else { false },
            guard: if action == Action::Bulk { guard(parameters)? } else { None },
            ids,
        })
    }
}

fn guard(parameters: &Parameters<'_>) -> Handled<Option<Guard>> {
    let Some(text) = parameters.text("maxRemovals", 20)? else { return Ok(None) };
    let guard = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| *percent <= 100).map(Guard::Percent),
        None => text.parse().ok().map(Guard::Count),
    };
    match guard {
        Some(guard) => Ok(Some(guard)),
        None => Err(Failure::parameter(
            "maxRemovals",
            "the parameter `maxRemovals` is a count (`10`) or a share of the stored resources (`20%`)",
        )),
    }
}

impl<S: Sql, C: Clock, R: Randomness, T: Configuration> Service<S, C, R, T> {
    pub(super) async fn ingest<B: Body>(
        &self,
        action: Action,
        table: &str,
        parameters: &Parameters<'_>,
        headers: &HeaderMap,
        body: &mut B,
        facts: &mut RequestFacts,
    ) -> Handled<Answer> {
        let hash = key_hash(headers)?;
        let remembered = match action {
            Action::Event => self.remembered(&hash, table),
            _ => None,
        };
        let entry = match remembered {
            Some(entry) => entry,
            None => self.enter(&hash, table).await?,
        };
        facts.integration = Some(entry.admission.integration_id.clone());
        facts.table = Some(entry.table.resource_name.clone());
        if action == Action::Manifest {
            let group_key = parameters.text("groupKey", limits::GROUP_KEY_CHARS)?.unwrap_or_default();
            return self.manifest(&entry, &group_key, headers).await;
        }
        let read = async {
            if action.has_body() {
                require_json(headers)?;
            }
            let request = Request::read(parameters, action)?;
            let limit = match action {
                Action::Bulk => limits::BULK_BYTES,
                _ => limits::RESOURCE_BYTES,
            };
            let payload = match action {
                Action::Delete => bytes::BytesMut::new(),
                _ => read_body(headers, body, limit).await.inspect_err(|failure| {
                    if failure.problem.code == Code::TooLarge {
                        facts.verdict = Some(Code::TooLarge.as_str());
                    }
                })?,
            };
            Ok((request, payload))
        };
        let (request, payload) = match read.await {
            Err(failure) if entry.remembered => {
                // Who may not come in any more learns that, and not what was wrong besides.
                self.enter(&hash, table).await?;
                return Err(failure);
            }
            read => read?,
        };
        self.apply(action, table, &hash, entry, &request, &payload, facts).await
    }

    /// What a key was found to open before, unless its use is to be noted.
    ///
    /// Between then and now it may have been revoked, the integration disabled, the schema replaced,
    /// through this instance or another. So it only saves a question: whoever goes by it has to compare
    /// the [generation](Admission::generation) of the declarations with what the database says, in the
    /// same statement that reads what the answer rests on.
    fn remembered(&self, hash: &Secret, table: &str) -> Option<Entry> {
        let entry = self.common.admissions.find(hash.0.as_bytes(), table)?;
        let noted = entry.admission.key_last_used_at?;
        (noted > self.clock.now_unix_millis() - KEY_USE_GRAIN).then_some(entry)
    }

    /// Finds what a key opens, and refuses where it opens nothing.
    async fn enter(&self, hash: &Secret, table: &str) -> Handled<Entry> {
        let admission = self.store.admit(&hash.to_hex(), table).await?;
        let stored =
            admission.as_ref().and_then(|admission| blake3::Hash::from_hex(&admission.key_hash).ok());
        let Some(mut admission) =
            admission.filter(|_| stored.is_some_and(|stored| hash.matches(&Secret(stored))))
        else {
            return Err(unauthorized());
        };
        let now = self.clock.now_unix_millis();
        if admission.key_last_used_at.is_none_or(|last| last <= now - KEY_USE_GRAIN) {
            // Worth knowing, and no reason to refuse a payload.
            let _ = self.store.touch_key(&admission.key_id, now, now - KEY_USE_GRAIN).await;
            admission.key_last_used_at = Some(now);
        }
        if !admission.enabled {
            return Err(Failure::new(Code::IntegrationDisabled, "this integration is switched off"));
        }
        match admission.table.take() {
            None => Err(Failure::new(Code::UnknownTable, "the integration's group has no such table")),
            Some(table) if table.retired => Err(Failure::new(Code::TableRetired, "this table was removed")),
            Some(found) => {
                let entry = Entry { admission, table: found, remembered: false };
                self.common.admissions.keep(hash.0.as_bytes(), table, &entry);
                Ok(entry)
            }
        }
    }

    async fn schema_of(&self, table: &Table) -> Handled<std::sync::Arc<PreparedSchema>> {
        self.prepared(&table.digest, async || {
            Ok(self.store.schema_version(&table.resource_name, table.version).await?)
        })
        .await
    }

    /// Checks, plans and commits, as often as others come in between.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the request")]
    async fn apply(
        &self,
        action: Action,
        table: &str,
        hash: &Secret,
        mut entry: Entry,
        request: &Request,
        payload: &[u8],
        facts: &mut RequestFacts,
    ) -> Handled<Answer> {
        let integration = entry.admission.integration_id.clone();
        let turn = self.common.turns.of(&integration, &entry.table.resource_name, &request.group_key);
        let checked = self.check(action, &entry.table, payload, facts).await;
        let mut items = match checked {
            Err(_) if entry.remembered => {
                entry = self.enter(hash, table).await?;
                self.check(action, &entry.table, payload, facts).await?
            }
            checked => checked?,
        };
        let begun = self.clock.now_unix_millis();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                if self.clock.now_unix_millis().saturating_sub(begun) > PATIENCE {
                    break;
                }
                self.clock.pause(self.pause_before(attempt)).await;
                let version = entry.table.version;
                entry = self.enter(hash, table).await?;
                if entry.table.version != version {
                    items = self.check(action, &entry.table, payload, facts).await?;
                }
            }
            // Dry runs change nothing and wait for nobody.
            let _held = match action {
                _ if request.dry_run => None,
                // Side by side, for as long as nobody else means the same resource.
                Action::Event if attempt == 0 => Some(turn.share(&self.clock).await),
                _ => Some(turn.take(&self.clock).await),
            };
            let Some(planned) = self.plan(action, &entry, request, payload, &items).await? else { continue };
            if entry.remembered && planned.generation != Some(entry.admission.generation) {
                continue;
            }
            if let Some(refusal) = self.over_guard(action, request, &planned, &items) {
                return Err(refusal);
            }
            let committed = if request.dry_run || planned.plan.changes.is_empty() {
                None
            } else {
                let commit_id = self.new_id();
                match self.commit(&commit_id, &entry, request, payload, &items, &planned).await {
                    Ok(()) => Some(Committed { commit_id }),
                    Err(StoreError::Refused(refusal)) if refusal.kind == RefusalKind::Stale => continue,
                    Err(error) => return Err(error.into()),
                }
            };
            if !request.dry_run {
                let plan = &planned.plan;
                let count = |change| plan.count(change);
                facts.counts = Some([
                    count(ChangeType::Added),
                    count(ChangeType::Modified),
                    count(ChangeType::Removed),
                    plan.unchanged,
                ]);
            }
            return Ok(answer(action, &entry, request, &items, &planned, committed.as_ref()));
        }
        Err(Failure::new(Code::Conflict, "others kept changing the same scope; try again"))
    }

    /// How long to wait, in milliseconds, before planning again: others who lost the same race do
    /// not all come back at once.
    fn pause_before(&self, attempt: usize) -> u64 {
        const LONGEST: u64 = 64;
        let mut random = [0; 8];
        self.randomness.fill(&mut random);
        let most = 1_u64.checked_shl(u32::try_from(attempt).unwrap_or(u32::MAX)).unwrap_or(LONGEST);
        u64::from_le_bytes(random) % most.min(LONGEST)
    }

    /// Lets the payload through the gate.
    async fn check<'p>(
        &self,
        action: Action,
        table: &Table,
        payload: &'p [u8],
        facts: &mut RequestFacts,
    ) -> Handled<Vec<CheckedItem<'p>>> {
        if action == Action::Delete {
            return Ok(Vec::new());
        }
        let schema = self.schema_of(table).await?;
        let options = CheckOptions::default();
        let judged = match action {
            Action::Bulk => schema.check_bulk(payload, options),
            _ => schema.check_one(payload, options).map(|item| vec![item]),
        };
        facts.verdict = Some(match &judged {
            Ok(_) => PASSED,
            Err(rejection) => rejection.code().as_str(),
        });
        Ok(judged?)
    }

    /// Compares with what is stored; `None` if that changed while it was read.
    async fn plan(
        &self,
        action: Action,
        entry: &Entry,
        request: &Request,
        payload: &[u8],
        items: &[CheckedItem<'_>],
    ) -> Handled<Option<Planned>> {
        let (integration, resource_name) = (&entry.admission.integration_id, &entry.table.resource_name);
        if let (Action::Event, [item]) = (action, items) {
            let current =
                self.store.current(integration, resource_name, &request.group_key, &item.id).await?;
            let plan = Plan::single(current.digest.as_ref(), &item.id, item.digest);
            let fields = plan
                .changes
                .iter()
                .map(|planned| match (planned.change, &current.payload) {
                    (ChangeType::Modified, Some(before)) => fields(before.as_bytes(), payload),
                    _ => Vec::new(),
                })
                .collect();
            return Ok(Some(Planned {
                plan,
                fields,
                expected: Expected::Resources,
                bases: vec![current.change],
                generation: Some(current.generation),
            }));
        }
        let scope =
            self.store.scope(integration, resource_name, &request.group_key).await?.unwrap_or_default();
        if action == Action::Delete {
            let ids: Vec<&str> = request.ids.iter().map(String::as_str).collect();
            let stored = self.store.manifest_of(scope, &ids).await?;
            let plan = Plan::removal(&stored, ids);
            let fields = vec![Vec::new(); plan.changes.len()];
            return Ok(Some(Planned {
                plan,
                fields,
                expected: Expected::Revision(scope.revision),
                bases: Vec::new(),
                generation: None,
            }));
        }
        let Some(stored) = self.store.manifest(scope).await? else { return Ok(None) };
        let plan = Plan::bulk(&stored, items.iter().map(|item| (&*item.id, item.digest)));
        let fields = self.bulk_fields(scope, &plan, payload, items).await?;
        Ok(Some(Planned {
            plan,
            fields,
            expected: Expected::Revision(scope.revision),
            bases: Vec::new(),
            generation: None,
        }))
    }

    /// The fields that differ, for each modification of a bulk; read in pieces of bounded size.
    async fn bulk_fields(
        &self,
        scope: Scope,
        plan: &Plan,
        payload: &[u8],
        items: &[CheckedItem<'_>],
    ) -> Handled<Vec<Vec<String>>> {
        let mut all = vec![Vec::new(); plan.changes.len()];
        let modified: Vec<(usize, &PlannedChange)> = plan
            .changes
            .iter()
            .enumerate()
            .filter(|(_, planned)| planned.change == ChangeType::Modified)
            .collect();
        if modified.is_empty() {
            return Ok(all);
        }
        let ids: Vec<&str> = modified.iter().map(|(_, planned)| planned.id.as_str()).collect();
        let sizes = self.store.sizes(scope, &ids).await?;
        let mut rest = modified.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fit = rest
                .iter()
                .take_while(|(_, planned)| {
                    bytes += sizes.get(&planned.id).copied().unwrap_or_default();
                    bytes <= COMPARED_BYTES
                })
                .count();
            let Some((piece, tail)) = rest.split_at_checked(fit.max(1)) else { break };
            rest = tail;
            let ids: Vec<&str> = piece.iter().map(|(_, planned)| planned.id.as_str()).collect();
            let before = self.store.payloads(scope, &ids).await?;
            for (at, planned) in piece {
                let after = planned.item.and_then(|item| payload.get(items.get(item)?.range.clone()));
                if let (Some(before), Some(after), Some(slot)) =
                    (before.get(&planned.id), after, all.get_mut(*at))
                {
                    *slot = fields(before.as_bytes(), after);
                }
            }
        }
        Ok(all)
    }

    fn over_guard(
        &self,
        action: Action,
        request: &Request,
        planned: &Planned,
        items: &[CheckedItem<'_>],
    ) -> Option<Failure> {
        let guard = request.guard.filter(|_| action == Action::Bulk)?;
        let removed = planned.plan.count(ChangeType::Removed);
        let stored = removed + items.len() as u64 - planned.plan.count(ChangeType::Added);
        let limit = guard.limit(stored);
        if removed <= limit {
            return None;
        }
        let detail = format!(
            "the bulk would remove {removed} of {stored} resources, and the request allows at most {limit}; nothing was changed"
        );
        let mut problem = ProblemDetails::new(Code::RemovalGuard, detail);
        problem.removed = Some(removed);
        problem.limit = Some(limit);
        Some(problem.into())
    }

    async fn commit(
        &self,
        commit_id: &str,
        entry: &Entry,
        request: &Request,
        payload: &[u8],
        items: &[CheckedItem<'_>],
        planned: &Planned,
    ) -> Result<(), StoreError> {
        let changes = committed_changes(payload, items, planned);
        let outcome = self
            .store
            .commit(Commit {
                id: commit_id,
                key_id: &entry.admission.key_id,
                integration_id: &entry.admission.integration_id,
                resource_name: &entry.table.resource_name,
                schema_version: entry.table.version,
                group_key: &request.group_key,
                expected: planned.expected,
                now: self.clock.now_unix_millis(),
                event: request.event.as_deref(),
                actor: request.actor.as_deref(),
                changes: &changes,
            })
            .await;
        match outcome {
            // The id is this commit's alone: where it is found, the work is done.
            Err(StoreError::Unanswered(why)) => match self.store.change_seq(commit_id, 0).await {
                Ok(Some(_)) => Ok(()),
                _ => Err(StoreError::Unanswered(why)),
            },
            outcome => outcome,
        }
    }

    /// Ids and digests of a scope, for planning a bulk anywhere.
    async fn manifest(&self, entry: &Entry, group_key: &str, headers: &HeaderMap) -> Handled<Answer> {
        let (integration, resource_name) = (&entry.admission.integration_id, &entry.table.resource_name);
        for _ in 0..ATTEMPTS {
            let scope = self.store.scope(integration, resource_name, group_key).await?.unwrap_or_default();
            // A revision of a scope is one state of it, for ever.
            let tag = entity_tag(&format!("{integration}\n{resource_name}\n{group_key}\n{}", scope.revision));
            let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
            let matches = known
                .flat_map(|value| value.split(','))
                .map(|value| value.trim().trim_start_matches("W/"))
                .any(|value| value == tag || value == "*");
            if matches {
                return Ok(Answer::empty(StatusCode::NOT_MODIFIED).with(ETAG, &tag));
            }
            let Some(manifest) = self.store.manifest(scope).await? else { continue };
            let text = Object::new()
                .with("table", resource_name)
                .with("groupKey", group_key)
                .raw("items", Some(&manifest_text(&manifest)))
                .finish();
            return Ok(Answer::ok(text).with(ETAG, &tag).with(header::CACHE_CONTROL, "private, no-cache"));
        }
        Err(Failure::new(Code::Conflict, "others kept changing this scope while it was read; try again"))
    }
}

fn key_hash(headers: &HeaderMap) -> Handled<Secret> {
    let mut keys = headers.get_all("x-ingest-key").iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(Secret::of(key.as_bytes())),
        _ => Err(unauthorized()),
    }
}

fn unauthorized() -> Failure {
    Failure::unauthorized(
        "IngestKey realm=\"tidegate\"",
        "this address takes the header `X-Ingest-Key` with a live ingest key",
    )
}

fn fields(before: &[u8], after: &[u8]) -> Vec<String> {
    match (Document::parse(before), Document::parse(after)) {
        (Ok(before), Ok(after)) => differing_fields(before.root(), after.root()),
        _ => Vec::new(),
    }
}

/// The plan as the commit takes it.
fn committed_changes<'a>(
    payload: &[u8],
    items: &'a [CheckedItem<'_>],
    planned: &'a Planned,
) -> Vec<CommittedChange<'a>> {
    let changes = planned.plan.changes.iter().enumerate();
    let changes = changes.map(|(at, change)| CommittedChange {
        change: change.change,
        id: &change.id,
        base: planned.bases.get(at).copied().flatten(),
        fields: planned.fields.get(at).map(Vec::as_slice).unwrap_or_default(),
        after: change.item.and_then(|item| items.get(item)).map(|item| {
            let source = payload.get(item.range.clone()).unwrap_or_default();
            After {
                digest: item.digest,
                name: item.name.as_deref(),
                // What was checked a moment ago parses.
                payload: Document::parse(source)
                    .map(|document| document.root().to_text())
                    .unwrap_or_default(),
            }
        }),
    });
    changes.collect()
}

fn manifest_text(manifest: &Manifest) -> String {
    let mut text = String::from("{");
    for (id, digest) in manifest {
        if text.len() > 1 {
            text.push(',');
        }
        write_string(id, &mut text);
        text.push_str(":\"");
        text.push_str(&Digest::to_string(digest));
        text.push('"');
    }
    text.push('}');
    text
}

fn answer(
    action: Action,
    entry: &Entry,
    request: &Request,
    items: &[CheckedItem<'_>],
    planned: &Planned,
    committed: Option<&Committed>,
) -> Answer {
    let plan = &planned.plan;
    let table = &entry.table.resource_name;
    if let (Action::Event, [item]) = (action, items) {
        let change = plan.changes.first().map(|planned| planned.change);
        let result = change.map_or("unchanged", ChangeType::as_str);
        let created = change == Some(ChangeType::Added) && !request.dry_run;
        let mut text = Object::new().with("result", if request.dry_run { "planned" } else { result });
        if request.dry_run {
            text = text.with("dryRun", &true).with("changes", &change_reports(planned));
        }
        let text = text
            .with("id", &item.id)
            .with("table", table)
            .with("groupKey", &request.group_key)
            .with("digest", &item.digest)
            .with("changeId", &committed.map(|committed| format!("{}-0", committed.commit_id)))
            .with("fields", planned.fields.first().map(Vec::as_slice).unwrap_or_default())
            .finish();
        return Answer::json(if created { StatusCode::CREATED } else { StatusCode::OK }, text);
    }
    let mut text = Object::new().with("result", if request.dry_run { "planned" } else { "applied" });
    if request.dry_run {
        text = text.with("dryRun", &true);
    }
    text = text.with("table", table).with("groupKey", &request.group_key);
    if action == Action::Delete {
        let removed = plan.count(ChangeType::Removed);
        let asked: std::collections::BTreeSet<_> = request.ids.iter().collect();
        let ignored = (asked.len() as u64).saturating_sub(removed);
        text = text.with("removed", &removed).with("ignored", &ignored);
    } else {
        text = text
            .with("added", &plan.count(ChangeType::Added))
            .with("modified", &plan.count(ChangeType::Modified))
            .with("removed", &plan.count(ChangeType::Removed))
            .with("unchanged", &plan.unchanged);
    }
    if request.details || request.dry_run {
        text = text.with("changes", &change_reports(planned));
    }
    Answer::ok(text.finish())
}

fn change_reports(planned: &Planned) -> Vec<ChangeReport> {
    (planned.plan.changes.iter().zip(&planned.fields))
        .map(|(planned, fields)| ChangeReport {
            change: planned.change,
            id: planned.id.clone(),
            fields: fields.clone(),
        })
        .collect()
}
