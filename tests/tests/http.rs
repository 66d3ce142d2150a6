//! Every conversation of `vectors/http` on every host.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tidegate_tests::http::Fault;
use tidegate_tests::http::conversation::{self, Conversation};
use tidegate_tests::http::coverage::every_problem_is_shown;
use tidegate_tests::http::host::HttpHost;
use tidegate_tests::http::libsql::{self, Libsql};
use tidegate_tests::http::message::{Request, RequestBody};
use tidegate_tests::http::native::{NativeHost, NativePostgresHost};
use tidegate_tests::http::openapi::Description;
use tidegate_tests::http::run::converse;
use tidegate_tests::http::service::ServiceHost;
use tidegate_tests::http::spin::{self, Spin, SpinPostgres, SpinUp};
use tidegate_tests::postgres;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let hosts = hosts();
    for (host, skip) in &hosts {
        if let Some(reason) = skip {
            println!("the host `{}` is skipped: {reason}", host.name());
        }
    }
    let conversations: Vec<Arc<Conversation>> = match conversation::all() {
        Ok(conversations) => conversations.into_iter().map(Arc::new).collect(),
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for conversation in &conversations {
        for (host, skip) in &hosts {
            let name = format!("http/{}::{}", conversation.file, host.name());
            let (host, conversation) = (Arc::clone(host), Arc::clone(conversation));
            let ignored = skip.is_some() || !conversation.runs_on(host.name());
            let trial =
                Trial::test(name, move || Ok(converse(host.as_ref(), &conversation, &mut |_, _| Ok(()))?));
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    let all = conversations.clone();
    trials.push(Trial::test("http/every-problem-is-shown", move || {
        every_problem_is_shown(&all, "native").map_err(Failed::from)
    }));
    trials.push(Trial::test("http/the-description-holds", move || {
        the_description_holds(&conversations).map_err(Failed::from)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Every host there is, and why one cannot run here.
fn hosts() -> [(Arc<dyn HttpHost>, Option<String>); 7] {
    [
        (Arc::new(ServiceHost), None),
        (Arc::new(NativeHost), None),
        (Arc::new(NativePostgresHost), postgres::available().err()),
        (Arc::new(Libsql), libsql::program().err()),
        (Arc::new(Spin), spin::component().err()),
        (Arc::new(SpinPostgres), SpinPostgres::available().err()),
        (Arc::new(SpinUp), SpinUp::available().err()),
    ]
}

/// Holds every answer of every conversation against the service's own description.
fn the_description_holds(conversations: &[Arc<Conversation>]) -> Result<(), Fault> {
    let target = "/openapi.json".to_owned();
    let request = Request { method: "GET".to_owned(), target, headers: Vec::new(), body: RequestBody::None };
    let document = ServiceHost.start("")?.send(&request)?.body;
    let document = serde_json::from_slice(&document).map_err(|error| error.to_string())?;
    let mut description = Description::new(document);
    let mut faults = BTreeSet::new();
    for conversation in conversations.iter().filter(|conversation| conversation.runs_on(ServiceHost.name())) {
        // A conversation that goes wrong is a test of its own that fails.
        let _ = converse(&ServiceHost, conversation, &mut |request, response| {
            faults.extend(description.check(request, response).err());
            Ok(())
        });
    }
    faults.extend(description.all_seen().err());
    match faults.len() {
        0 => Ok(()),
        _ => Err(faults.into_iter().collect::<Vec<_>>().join("\n")),
    }
}
