//! What a spec that no person wrote must not hold: its values are held to the rules of the format.

use super::rule::{self, Rule};
use super::{Build, Runtime, Spec};

/// The first value of a spec that [`load`](super::load) would refuse: its key, the value, and what is wrong with it.
///
/// Names of apps, packages and labels are left out: detection makes the first by rules of its own, takes the second from
/// an index, and sets none of the third.
pub fn fault(spec: &Spec) -> Option<(&'static str, String, String)> {
    let values = spec.build.env.values().chain(spec.runtime.env.values());
    let all = [
        (
            "metadata.path",
            rule::relative as Rule,
            vec![&spec.metadata.path],
        ),
        ("env", rule::value, values.collect()),
    ];
    let lists = all
        .into_iter()
        .chain(build(&spec.build))
        .chain(runtime(&spec.runtime));
    lists.into_iter().find_map(|(key, rule, values)| {
        let mut faults = values
            .into_iter()
            .filter_map(|value| Some((key, value.clone(), rule(value).err()?)));
        faults.next()
    })
}

/// A key, what its values are held to, and the values.
type Values<'s> = (&'static str, Rule, Vec<&'s String>);

fn build(build: &Build) -> [Values<'_>; 7] {
    let install = &build.install;
    let ids = build.secrets.iter().map(|secret| &secret.id);
    [
        ("build.env", rule::variable, build.env.keys().collect()),
        (
            "build.install.files",
            rule::glob,
            install.files.iter().collect(),
        ),
        (
            "build.install.commands",
            rule::command,
            install.commands.iter().collect(),
        ),
        (
            "build.commands",
            rule::command,
            build.commands.iter().collect(),
        ),
        ("build.cache", rule::path, build.cache.iter().collect()),
        ("build.secrets", rule::word, ids.collect()),
        ("build.context", rule::glob, build.context.iter().collect()),
    ]
}

fn runtime(runtime: &Runtime) -> [Values<'_>; 7] {
    let health = runtime.health.iter().map(|health| &health.endpoint);
    let process = runtime.processes.values().flatten();
    let copies = runtime.copy.iter().flat_map(|copy| [&copy.from, &copy.to]);
    [
        ("runtime.env", rule::variable, runtime.env.keys().collect()),
        ("runtime.copy", rule::path, copies.collect()),
        (
            "runtime.processes",
            rule::word,
            runtime.processes.keys().collect(),
        ),
        (
            "runtime.command",
            rule::argument,
            runtime.command.iter().chain(process).collect(),
        ),
        ("runtime.health", rule::endpoint, health.collect()),
        (
            "runtime.workdir",
            rule::absolute,
            runtime.workdir.iter().collect(),
        ),
        (
            "runtime.writable",
            rule::path,
            runtime.writable.iter().collect(),
        ),
    ]
}
