//! Releases for Erlang's machine: how they are laid out, and started without a shell.
//!
//! The start scripts of a release, `bin/NAME` of Mix and of relx, are programs for a shell, and the image has none. What they come to in
//! the end is one call of `erlexec`, the launcher in the release's own runtime, with the runtime's place in the environment. Its
//! path names two versions that only the build knows, so the build gives both directories a second name.

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan, quoted};
use crate::detect::version::{Chosen, Source, Tool, Want, exact};
use crate::spec::Copy;

/// Erlang itself.
pub(super) const ERLANG: Tool<'_> = Tool {
    name: "Erlang",
    asdf: &["erlang"],
    prefix: "erlang-",
    numbers: 1,
    default: Some("erlang"),
    read: erlang,
};

/// A plain version is of a release of OTP, `minimum_otp_vsn` the least one.
fn erlang(source: &Source) -> Result<Want, String> {
    let text = source.text.trim().trim_start_matches("OTP-");
    let mut numbers = exact(text)?;
    if source.rule == "version.minimum" {
        return Ok(Want::AtLeast(numbers));
    }
    // Patches of one release are compatible.
    numbers.truncate(1);
    Ok(Want::Prefix(numbers))
}

/// The command that names the directories of the release in `/out/NAME` without their versions.
pub(super) fn link(name: &str) -> String {
    let place = quoted(&format!("/out/{name}"));
    format!(
        "cd {place} && ln -sfn erts-* erts && ln -sfn \"$(cut -d' ' -f2 releases/start_erl.data)\" releases/current && rm -rf bin"
    )
}

/// The program that starts a release at `/app`; `boot` is the name of the boot file, `first` and `last` are flags for Elixir.
pub(super) fn erlexec(boot: &str, first: &[&str], last: &[&str]) -> Vec<String> {
    let mut argv = vec!["/app/erts/bin/erlexec", "-noshell"];
    argv.extend(first);
    argv.extend(["-mode", "embedded", "-config", "/app/releases/current/sys"]);
    let boot = format!("/app/releases/current/{boot}");
    argv.extend(["-boot", &boot, "-boot_var", "RELEASE_LIB", "/app/lib"]);
    argv.extend(["-args_file", "/app/releases/current/vm.args"]);
    argv.extend(last);
    argv.into_iter().map(str::to_owned).collect()
}

/// What the start scripts put into the environment.
fn environment(name: &str) -> BTreeMap<String, String> {
    [
        ("BINDIR", "/app/erts/bin"),
        ("EMU", "beam"),
        ("LANG", "C.UTF-8"),
        ("PROGNAME", "erl"),
        ("RELEASE_NAME", name),
        ("RELEASE_ROOT", "/app"),
        ("RELEASE_SYS_CONFIG", "/app/releases/current/sys"),
        ("RELEASE_TMP", "/tmp"),
        ("ROOTDIR", "/app"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Ships the release in `/out/NAME` and starts it with `command`.
pub(super) fn ship(scan: &Scan<'_>, name: &str, command: Vec<String>, draft: &mut Draft) {
    let runtime = &mut draft.spec.runtime;
    let wanted = [
        "ca-certificates-bundle",
        "libcrypto3",
        "libstdc++",
        "ncurses",
        "tzdata",
        "zlib",
    ];
    runtime.packages = wanted
        .iter()
        .filter_map(|name| scan.catalog.package(name))
        .collect();
    runtime.env.extend(environment(name));
    runtime.copy = vec![Copy {
        from: format!("/out/{name}"),
        to: "/app".to_owned(),
    }];
    let found = Evidence::new("start", "erlexec", "beam.release");
    draft.evidence.push(
        found.note(
            "it is what the release's start script comes to: the script itself needs a shell",
        ),
    );
    runtime.command = command;
}

/// Erlang for a stream that is known.
pub(super) fn companion(scan: &Scan<'_>, erlang: &Chosen, name: &str) -> Option<String> {
    let package = format!("erl{}-{name}", erlang.stream.name);
    scan.catalog.has(&package).then_some(package)
}
