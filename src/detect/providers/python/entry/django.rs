//! Django: `manage.py`, the settings, and what serves them.

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{join, split};
use crate::detect::source::{self, Fact, File};
use crate::spec::Kind;

use super::{PORT, PYTHON, Project, Start, default_port, is_at_top, module, python, server};

/// The path of `manage.py` relative to the project: beside its manifest, or in the only directory below that has one.
pub(super) fn manage(scan: &Scan<'_>, project: &Project) -> Option<String> {
    if is_at_top(scan, project, "manage.py") {
        return Some("manage.py".to_owned());
    }
    let dir = scan.repo.dir(&project.dir)?;
    let mut nested = dir
        .dirs()
        .iter()
        .filter(|name| dir.below(name).is_some_and(|dir| dir.has("manage.py")));
    match (nested.next(), nested.next()) {
        (Some(only), None) => Some(join(only, "manage.py")),
        _ => None,
    }
}

/// What serves a Django project: module and variable, and the file of it.
struct Served<'f> {
    target: String,
    file: &'f File,
    line: u64,
    /// What stands on that line.
    written: &'static str,
}

pub(super) fn start(scan: &Scan<'_>, project: &Project, files: &[File], manage: &str) -> Start {
    let manage_file = join(&project.dir, manage);
    let base = split(manage).0;
    let line = scan.repo.text(&manage_file).ok().and_then(|text| {
        let at = text
            .lines()
            .position(|l| l.contains("DJANGO_SETTINGS_MODULE"));
        at.map(|at| at as u64 + 1)
    });
    let evidence = marks(&manage_file, line);
    let mut start = Start {
        kind: Some(Kind::Web),
        has_assets: true,
        framework: Some("django".to_owned()),
        port: Some(default_port(PORT)),
        health: source::health(files),
        evidence,
        confidence: 95,
        reason: format!("`{manage_file}` is the command of a Django project"),
        ..Start::default()
    };
    if !base.is_empty() {
        let path = format!("/app/{base}");
        start.env.insert("PYTHONPATH".to_owned(), path);
    }
    match choose(project, files, base, &manage_file) {
        Ok((served, name)) => {
            start.command = command(name, &served.target);
            start.reason = format!(
                "`{manage_file}` stands beside the Django application of `{}`",
                served.file.path
            );
            let chosen = Evidence::new("start", &served.target, "python.django")
                .at(&served.file.path, Some(served.line))
                .written(served.written);
            start.evidence.push(chosen);
            let server = Evidence::new("server", name, "python.server-dependency");
            start.evidence.push(server.at(&project.manifest, None));
        }
        Err(problem) => {
            start.problem = Some(problem);
            return start;
        }
    }
    let migrate = python(&[manage, "migrate", "--noinput"]);
    start.processes = BTreeMap::from([("release".to_owned(), migrate)]);
    let release = Evidence::new("process", "release", "python.django-migrations");
    start.evidence.push(release.at(&manage_file, None));
    collect(files, base, manage, &mut start);
    super::worker(project, files, &mut start);
    start
}

/// The evidence that a directory is Django's.
fn marks(manage: &str, line: Option<u64>) -> Vec<Evidence> {
    let found = |field: &str, value: &str| {
        let mut evidence = Evidence::new(field, value, "python.django").at(manage, line);
        evidence.written = line.map(|_| "DJANGO_SETTINGS_MODULE".to_owned());
        evidence
    };
    vec![found("framework", "django"), found("kind", "web")]
}

/// The application and the server: what the settings name, else `wsgi.py` and `asgi.py`, as far as a server is there.
fn choose<'f>(
    project: &Project,
    files: &'f [File],
    base: &str,
    manage: &str,
) -> Result<(Served<'f>, &'static str), Problem> {
    let wsgi = served(project, files, base, "WSGI_APPLICATION", "wsgi.py");
    let asgi = served(project, files, base, "ASGI_APPLICATION", "asgi.py");
    if wsgi.is_none() && asgi.is_none() {
        let message = "belongs to a Django project without `wsgi.py` and `asgi.py`";
        return Err(Problem::new(manage, None, message));
    }
    let find = |names: &[&'static str]| names.iter().copied().find(|name| project.has(name));
    let wsgi_server = find(&["gunicorn", "waitress", "granian", "uwsgi"]);
    let asgi_server = find(&["uvicorn", "daphne", "hypercorn", "granian"]);
    let wants_asgi = asgi
        .as_ref()
        .is_some_and(|served| served.written == "ASGI_APPLICATION");
    match (wsgi, asgi, wsgi_server, asgi_server) {
        (_, Some(served), _, Some(server)) if wants_asgi => Ok((served, server)),
        (Some(served), _, Some(server), _) => Ok((served, server)),
        (_, Some(served), _, Some(server)) => Ok((served, server)),
        _ => {
            let message =
                "belongs to a Django project, but no WSGI or ASGI server is among the dependencies";
            Err(Problem::new(manage, None, message).help("add `gunicorn` to the dependencies"))
        }
    }
}

/// The application that a setting names, else the one in the file of that name.
fn served<'f>(
    project: &Project,
    files: &'f [File],
    base: &str,
    setting: &'static str,
    name: &str,
) -> Option<Served<'f>> {
    let of_setting = files.iter().find_map(|file| {
        let at = file.source.find(&format!("{setting} ="))?;
        let text = file.source.string_at(at + setting.len() + 2)?;
        let (module, variable) = text.rsplit_once('.')?;
        Some(Served {
            target: format!("{module}:{variable}"),
            file,
            line: file.source.line(at),
            written: setting,
        })
    });
    of_setting.or_else(|| {
        files.iter().find_map(|file| {
            let is_it = split(&file.path).1 == name;
            let at = file.source.find("application =").filter(|_| is_it)?;
            let (found, _) = module(project, &file.path)?;
            let prefix = base.replace('/', ".");
            let found = match found.strip_prefix(&prefix) {
                Some(rest) if !prefix.is_empty() => rest.trim_start_matches('.').to_owned(),
                _ => found,
            };
            Some(Served {
                target: format!("{found}:application"),
                file,
                line: file.source.line(at),
                written: "application",
            })
        })
    })
}

fn command(name: &str, target: &str) -> Vec<String> {
    let port = PORT.to_string();
    let address = format!("0.0.0.0:{port}");
    match name {
        "uvicorn" => python(&["-m", name, target, "--host", "0.0.0.0", "--port", &port]),
        "daphne" => python(&["-m", name, "-b", "0.0.0.0", "-p", &port, target]),
        "hypercorn" => python(&["-m", name, target, "--bind", &address]),
        "waitress" => python(&["-m", name, "--listen", &address, target]),
        "granian" => {
            let interface = if target.contains("asgi") {
                "asgi"
            } else {
                "wsgi"
            };
            let words = ["-m", name, "--interface", interface, "--host", "0.0.0.0"];
            python(&[&words[..], &["--port", &port, target]].concat())
        }
        "uwsgi" => server::uwsgi(target, PORT),
        _ => server::gunicorn(target, PORT),
    }
}

/// Adds what collects the static files, where the app for them is installed and the settings name a place for them.
fn collect(files: &[File], base: &str, manage: &str, start: &mut Start) {
    let settings = || files.iter().filter(|file| file.path.contains("settings"));
    let is_installed = settings().any(|file| {
        let mut strings = file.source.strings.iter();
        strings.any(|(_, text)| text == "django.contrib.staticfiles")
    });
    if !is_installed {
        return;
    }
    let Some(root) = settings().find_map(static_root) else {
        return;
    };
    let mut secrets = String::new();
    for file in settings() {
        if let Some((at, name)) = secret_key(file) {
            let line = file.source.line(at);
            secrets.push_str(&format!("{name}=only-for-this-step "));
            let evidence = Evidence::new("build-env", &name, "python.django-secret-key")
                .at(&file.path, Some(line))
                .note("the settings do not load without it, and what is collected does not depend on it");
            start.evidence.push(evidence);
        }
    }
    let manage = quoted(manage);
    start.build = vec![format!(
        "{secrets}{PYTHON} {manage} collectstatic --noinput"
    )];
    let evidence = Evidence::new("build", "collectstatic", "python.django-staticfiles");
    start.evidence.push(
        evidence
            .at(&root.file, Some(root.line))
            .written("STATIC_ROOT"),
    );
    start.built = vec![join(base, &root.value)];
    start.collected = Some(root);
}

/// The directory inside the project that `STATIC_ROOT` names.
fn static_root(file: &File) -> Option<Fact<String>> {
    let at = file.source.find("STATIC_ROOT =")?;
    let code = &file.source.code;
    let line_end = code[at..].find('\n').map_or(code.len(), |end| at + end);
    let mut strings = file.source.strings_in(at..line_end).iter();
    let (Some((_, name)), None) = (strings.next(), strings.next()) else {
        return None;
    };
    let name = name.trim_end_matches('/');
    if name.is_empty() || name.starts_with(['/', '.']) || name.contains("..") {
        return None;
    }
    Some(Fact {
        value: name.to_owned(),
        file: file.path.clone(),
        line: file.source.line(at),
    })
}

/// The variable without which the settings cannot be loaded: `SECRET_KEY = os.environ["NAME"]`.
fn secret_key(file: &File) -> Option<(usize, String)> {
    let at = file.source.find("SECRET_KEY =")?;
    let code = &file.source.code;
    let end = code[at..].find('\n').map_or(code.len(), |end| at + end);
    let value = &code[at..end];
    let is_required = value.contains("environ[")
        || (["env(", "config(", "env.str("]
            .iter()
            .any(|c| value.contains(c))
            && !value.contains("default"));
    let (start, name) = file.source.strings_in(at..end).first()?;
    let is_name = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) && !name.is_empty();
    (is_required && is_name).then(|| (*start, name.clone()))
}
