//! How a .NET app is started, and where it listens.

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan};
use crate::detect::repo::join;
use crate::detect::source::{self, Fact, Family, File, port_of_address};
use crate::spec::{Copy, Kind};

use super::msbuild::Project;
use super::version::Toolchain;
use super::{App, OUT};

/// The port that an app is given which fixes none.
const PORT: u16 = 8080;

/// What every program is given.
fn environment(draft: &mut Draft, toolchain: &Toolchain) {
    let mut env = vec![
        ("DOTNET_EnableDiagnostics", "0"),
        ("DOTNET_RUNNING_IN_CONTAINER", "true"),
    ];
    if toolchain.rolls_forward {
        env.push(("DOTNET_ROLL_FORWARD", "Major"));
        let evidence = Evidence::new("env", "DOTNET_ROLL_FORWARD=Major", "dotnet.roll-forward");
        draft
            .evidence
            .push(evidence.note("the runtime that it was built for is not packaged"));
    }
    draft.spec.runtime.env = env
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
}

impl App<'_> {
    pub(super) fn run(
        &self,
        scan: &mut Scan<'_>,
        draft: &mut Draft,
        toolchain: &Toolchain,
        major: u64,
    ) -> Result<(), Problem> {
        let project = self.project;
        let files = self.sources(scan);
        let number = toolchain.number;
        let aspnet = self.needs_aspnet();
        let package = if aspnet.is_some() {
            format!("aspnet-{number}-runtime")
        } else {
            format!("dotnet-{number}-runtime")
        };
        if !scan.catalog.has(&package) {
            let message = format!("the index has no package `{package}`");
            return Err(Problem::new(&project.file, None, message));
        }
        if let Some(found) = &aspnet {
            let evidence = Evidence::new("runtime", &package, "dotnet.needs-aspnet");
            let evidence = evidence.written(&found.value);
            draft
                .evidence
                .push(evidence.at(&found.file, Some(found.line)));
        }
        let name = self.assembly(draft);
        let runtime = &mut draft.spec.runtime;
        runtime.packages = vec![package];
        runtime.packages.extend(scan.catalog.package("tzdata"));
        runtime.copy = vec![Copy {
            from: OUT.to_owned(),
            to: "/app".to_owned(),
        }];
        runtime.command = vec!["/usr/bin/dotnet".to_owned(), format!("/app/{name}.dll")];
        environment(draft, toolchain);
        if self.role.kind == Kind::Web {
            listen(scan, project, draft, &files, major);
        } else if let Some(found) = listener(&files) {
            draft.spec.metadata.kind = Some(Kind::Web);
            let evidence = Evidence::new("kind", "web", "dotnet.listens").written(&found.value);
            draft
                .evidence
                .push(evidence.at(&found.file, Some(found.line)));
            if let Some(port) = port(&files) {
                draft.listens_on(&port, "dotnet.address");
            }
        }
        if draft.spec.metadata.kind == Some(Kind::Web) {
            health(draft, &files);
            if let Some((file, line)) = local(&files) {
                let message =
                    "listens on the loopback address, which nothing outside the container reaches";
                scan.warn(&file, Some(line), message);
            }
        }
        Ok(())
    }

    /// The name of what is started.
    fn assembly(&self, draft: &mut Draft) -> String {
        let Some(found) = self.project.property("AssemblyName") else {
            let name = &self.project.name;
            let evidence = Evidence::new("command", format!("{name}.dll"), "dotnet.project-name");
            draft.evidence.push(evidence);
            return name.clone();
        };
        let name = found.value;
        let evidence = Evidence::new("command", format!("{name}.dll"), "dotnet.assembly-name");
        let evidence = evidence.written("AssemblyName");
        draft
            .evidence
            .push(evidence.at(&found.file, Some(found.line)));
        name
    }

    /// The project's own sources: what it names, or all that lies in its directory and in no other project's.
    fn sources(&self, scan: &Scan<'_>) -> Vec<File> {
        let project = self.project;
        let names_all = project.language == "fsharp"
            || project
                .property("EnableDefaultCompileItems")
                .is_some_and(|found| found.value.eq_ignore_ascii_case("false"));
        let named = project.items("Compile").into_iter();
        let named: Vec<String> = named.map(|item| item.value.replace('\\', "/")).collect();
        let is_wanted = |path: &str| {
            let mut named = named.iter();
            !names_all || named.any(|item| item.contains('*') || join(&project.dir, item) == path)
        };
        source::own_of(
            scan.repo,
            &project.dir,
            &self.others,
            &["cs", "fs", "vb"],
            Family::DotNet,
            &is_wanted,
        )
    }

    /// What needs the runtime of ASP.NET: the project itself, or one that it refers to.
    fn needs_aspnet(&self) -> Option<Fact<String>> {
        self.closure.iter().find_map(|project| {
            let web = project
                .sdks()
                .into_iter()
                .find(|sdk| sdk.value == "Microsoft.NET.Sdk.Web");
            let references = project.items("FrameworkReference").into_iter();
            web.or_else(|| {
                references
                    .into_iter()
                    .find(|one| one.value == "Microsoft.AspNetCore.App")
            })
        })
    }
}

/// Calls that name an address.
const ADDRESSES: &[&str] = &[
    ".UseUrls(",
    ".Run(",
    "Urls.Add(",
    "Prefixes.Add(",
    "RunAsync(",
];
/// Calls that take a port.
const PORTS: &[&str] = &["ListenAnyIP(", "IPAddress.Any,", "IPAddress.IPv6Any,"];

fn port(files: &[File]) -> Option<Fact<u16>> {
    for file in files {
        let source = &file.source;
        for call in ADDRESSES {
            for at in source.all(call) {
                let text = source.string_at(at + call.len()).unwrap_or_default();
                let address = text
                    .split_once("://")
                    .map_or(text, |(_, rest)| rest)
                    .trim_end_matches('/');
                let address = address.replace('+', "*");
                if let Some((value, false)) = port_of_address(&address) {
                    return Some(Fact {
                        value,
                        file: file.path.clone(),
                        line: source.line(at),
                    });
                }
            }
        }
        for call in PORTS {
            for at in source.all(call) {
                if let Some(value) = source.number_after(at + call.len(), 40) {
                    return Some(Fact {
                        value,
                        file: file.path.clone(),
                        line: source.line(at),
                    });
                }
            }
        }
    }
    None
}

/// Where an address is named that nothing outside the container reaches.
fn local(files: &[File]) -> Option<(String, u64)> {
    files.iter().find_map(|file| {
        let source = &file.source;
        let mut calls = ADDRESSES
            .iter()
            .flat_map(|call| source.all(call).map(move |at| at + call.len()));
        let is_local = |at: &usize| {
            let text = source.string_at(*at).unwrap_or_default();
            let address = text.split_once("://").map_or("", |(_, rest)| rest);
            let host = address.split([':', '/']).next().unwrap_or_default();
            matches!(host, "127.0.0.1" | "localhost")
        };
        let at = calls.find(is_local)?;
        Some((file.path.clone(), source.line(at)))
    })
}

fn listener(files: &[File]) -> Option<Fact<String>> {
    let calls = [
        "HttpListener(",
        "TcpListener(",
        "WebApplication.Create",
        "startWebServer",
        "WebHost",
    ];
    source::call(files, &calls)
}

/// The port of a web app: one that the code or the settings fix, else the one that it is given.
fn listen(scan: &Scan<'_>, project: &Project, draft: &mut Draft, files: &[File], major: u64) {
    if let Some(found) = port(files).or_else(|| configured(scan, project)) {
        draft.listens_on(&found, "dotnet.address");
        return;
    }
    // Since .NET 8 a variable takes the number alone.
    let (name, value) = if major >= 8 {
        ("ASPNETCORE_HTTP_PORTS", PORT.to_string())
    } else {
        ("ASPNETCORE_URLS", format!("http://+:{PORT}"))
    };
    draft.spec.runtime.ports = vec![PORT];
    draft.spec.runtime.env.insert(name.to_owned(), value);
    draft
        .evidence
        .push(Evidence::new("port", PORT.to_string(), "port.default"));
}

/// The address in `appsettings.json`; those of `launchSettings.json` are for development.
fn configured(scan: &Scan<'_>, project: &Project) -> Option<Fact<u16>> {
    let file = join(&project.dir, "appsettings.json");
    if !scan.repo.has(&file) {
        return None;
    }
    let text = scan.repo.text(&file).ok()?;
    let document = Document::parse(&file, &text, Syntax::Json).ok()?;
    let endpoints = document.keys(&["Kestrel", "Endpoints"]);
    let mut places: Vec<Vec<&str>> = vec![vec!["urls"], vec!["Urls"]];
    places.extend(
        endpoints
            .into_iter()
            .map(|name| vec!["Kestrel", "Endpoints", name, "Url"]),
    );
    places.into_iter().find_map(|keys| {
        let (scheme, rest) = document.str(&keys)?.split_once("://")?;
        let address = rest.trim_end_matches('/').replace('+', "*");
        let (value, is_local) = port_of_address(&address)?;
        (scheme == "http" && !is_local).then_some(Fact {
            value,
            file: file.clone(),
            line: document.line(&keys)?,
        })
    })
}

fn health(draft: &mut Draft, files: &[File]) {
    let mapped = files.iter().find_map(|file| {
        let call = "MapHealthChecks(";
        let at = file.source.find(call)?;
        Some(Fact {
            value: file.source.string_at(at + call.len())?.to_owned(),
            file: file.path.clone(),
            line: file.source.line(at),
        })
    });
    if let Some(found) = mapped.or_else(|| source::health(files)) {
        draft.answers(&found);
    }
}
