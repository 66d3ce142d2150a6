//! Every conversation of `vectors/http` on every host.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tidegate_tests::http::conversation::{self, Conversation};
use tidegate_tests::http::coverage::every_problem_is_shown;
use tidegate_tests::http::host::HttpHost;
use tidegate_tests::http::native::NativeHost;
use tidegate_tests::http::run::converse;
use tidegate_tests::http::service::ServiceHost;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let hosts: [Arc<dyn HttpHost>; 2] = [Arc::new(ServiceHost), Arc::new(NativeHost)];
    let conversations: Vec<Arc<Conversation>> = match conversation::all() {
        Ok(conversations) => conversations.into_iter().map(Arc::new).collect(),
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for conversation in &conversations {
        for host in &hosts {
            let name = format!("http/{}::{}", conversation.file, host.name());
            let (host, conversation) = (Arc::clone(host), Arc::clone(conversation));
            let ignored = !conversation.runs_on(host.name());
            let trial = Trial::test(name, move || Ok(converse(host.as_ref(), &conversation)?));
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    trials.push(Trial::test("http/every-problem-is-shown", move || {
        let all: Vec<Conversation> =
            conversations.iter().map(|conversation| conversation.as_ref().clone()).collect();
        every_problem_is_shown(&all, "native").map_err(Failed::from)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}
