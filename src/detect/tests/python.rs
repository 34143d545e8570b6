use super::{command, copies, found};
use crate::spec::Kind;

#[test]
fn a_fastapi_app_is_locked_by_uv_and_served_by_uvicorn() {
    let found = found(&[
        (
            "api/pyproject.toml",
            "[project]\nname = \"api\"\nrequires-python = \">=3.12,<3.14\"\ndependencies = [\"fastapi>=0.1\", \"uvicorn\"]\n",
        ),
        ("api/uv.lock", "version = 1\n"),
        ("api/app/__init__.py", ""),
        (
            "api/app/main.py",
            "# app = FastAPI()\napi: FastAPI = FastAPI(title='x')\n\n@api.get('/health')\ndef health(): ...\n",
        ),
        ("api/tests/test_main.py", "app = FastAPI()\n"),
    ]);
    let spec = found.spec("api");
    assert_eq!(spec.metadata.framework.as_deref(), Some("fastapi"));
    assert_eq!(spec.build.packages, ["python-3.13", "uv"]);
    assert_eq!(
        spec.build.install.files,
        ["api/pyproject.toml", "api/uv.lock"]
    );
    assert_eq!(
        spec.build.install.commands,
        ["uv sync --locked --no-dev --no-install-project"]
    );
    assert_eq!(spec.build.commands, ["rm -f /app/.venv/.lock"]);
    assert_eq!(spec.build.env["UV_PYTHON"], "/usr/bin/python3.13");
    assert_eq!(copies(spec), ["/app/.venv -> /app/.venv", "app -> app"]);
    assert_eq!(
        command(spec),
        "/app/.venv/bin/python -m uvicorn app.main:api --host 0.0.0.0 --port 8000"
    );
    assert_eq!(spec.runtime.ports, [8000]);
    assert_eq!(spec.runtime.health.as_ref().unwrap().endpoint, "/health");
    assert_eq!(spec.runtime.env["PYTHONUNBUFFERED"], "1");
}

#[test]
fn a_member_of_a_uv_workspace_is_installed_from_the_lock_of_its_root() {
    let found = found(&[
        (
            "pyproject.toml",
            "[tool.uv.workspace]\nmembers = [\"services/*\", \"libs/*\"]\nexclude = [\"libs/old\"]\n",
        ),
        ("uv.lock", "version = 1\n"),
        (
            "services/bill/pyproject.toml",
            "[project]\nname = \"bill\"\ndependencies = [\"core\"]\n[project.scripts]\nbill = \"bill.cli:run\"\n[build-system]\nrequires = [\"hatchling\"]\n[tool.uv.sources]\ncore = { workspace = true }\n",
        ),
        ("services/bill/src/bill/cli.py", "def run(): ...\n"),
        (
            "libs/core/pyproject.toml",
            "[project]\nname = \"core\"\n[build-system]\nrequires = [\"hatchling\"]\n",
        ),
        ("libs/core/src/core/__init__.py", ""),
        ("libs/old/pyproject.toml", "[project]\nname = \"old\"\n"),
    ]);
    assert_eq!(found.names(), ["bill"]);
    let spec = found.spec("bill");
    assert_eq!(
        spec.build.install.files,
        [
            "libs/core/pyproject.toml",
            "pyproject.toml",
            "services/bill/pyproject.toml",
            "uv.lock"
        ]
    );
    assert_eq!(
        spec.build.install.commands,
        ["uv sync --locked --no-dev --no-install-workspace --package bill"]
    );
    assert_eq!(
        spec.build.commands,
        [
            "uv sync --locked --no-dev --no-editable --package bill",
            "rm -f /app/.venv/.lock"
        ]
    );
    assert_eq!(
        spec.build.context,
        [
            "libs/core/**",
            "libs/core/pyproject.toml",
            "pyproject.toml",
            "services/bill/**",
            "services/bill/pyproject.toml",
            "uv.lock"
        ]
    );
    assert_eq!(command(spec), "/app/.venv/bin/bill");
    assert_eq!(copies(spec), ["/app/.venv -> /app/.venv"]);
    assert_eq!(spec.metadata.kind, Some(Kind::Worker));
    assert!(
        found
            .reason("libs/core")
            .starts_with("it is a library: `services/bill` depends on it")
    );
}

#[test]
fn flask_with_requirements_is_served_by_gunicorn_and_pip_stays_behind() {
    let found = found(&[
        ("requirements.txt", "-r base.txt\nGunicorn==23.0\n"),
        ("base.txt", "flask-cors\nFlask>=3\n"),
        (
            "shop/web.py",
            "def create_app():\n    app = Flask(__name__)\n    return app\n",
        ),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(spec.build.packages, ["python-3.13"]);
    assert_eq!(spec.build.install.files, ["base.txt", "requirements.txt"]);
    assert_eq!(
        spec.build.install.commands,
        [
            "/usr/bin/python3.13 -m venv /app/.venv",
            "/app/.venv/bin/python -m pip install -r requirements.txt"
        ]
    );
    assert_eq!(
        spec.build.commands,
        ["/app/.venv/bin/python -m pip uninstall --yes pip"]
    );
    assert_eq!(
        command(spec),
        "/app/.venv/bin/python -m gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm shop.web:create_app()"
    );
}

#[test]
fn an_application_without_a_server_is_refused() {
    let found = found(&[
        ("requirements.txt", "flask\n"),
        ("app.py", "\napp = Flask(__name__)\n"),
    ]);
    assert_eq!(
        found.messages(),
        [
            "app.py:2: `app:app` is a flask application, but no WSGI server is among the dependencies"
        ]
    );
    assert_eq!(
        found.diagnostics[0].help.as_deref(),
        Some("add `gunicorn` to the dependencies")
    );
}

#[test]
fn two_equal_applications_are_a_question() {
    let found = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("one/main.py", "app = FastAPI()\n"),
        ("two/main.py", "app = FastAPI()\n"),
    ]);
    assert_eq!(
        found.messages(),
        ["one/main.py:1: two applications are equally likely: `one.main:app` and `two.main:app`"]
    );
}

#[test]
fn django_is_served_and_its_migrations_are_a_process_of_their_own() {
    let found = found(&[
        ("requirements.txt", "Django\ngunicorn\nwhitenoise\n"),
        (
            "manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')",
        ),
        (
            "shop/settings.py",
            "STATIC_ROOT = BASE_DIR / 'staticfiles'\n",
        ),
        ("shop/wsgi.py", "application = get_wsgi_application()\n"),
        ("shop/__init__.py", ""),
        (
            "package.json",
            r#"{"name": "assets", "scripts": {"build": "webpack"}}"#,
        ),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(found.apps.len(), 1);
    assert!(command(spec).ends_with(
        "-m gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm shop.wsgi:application"
    ));
    assert_eq!(
        spec.runtime.processes["release"][1..],
        ["manage.py", "migrate", "--noinput"]
    );
    assert_eq!(
        spec.build.commands.last().unwrap(),
        "/app/.venv/bin/python manage.py collectstatic --noinput"
    );
    assert!(copies(spec).contains(&"staticfiles -> staticfiles".to_owned()));
}

#[test]
fn poetry_chooses_a_python_for_which_it_is_packaged() {
    let found = found(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"job\"\n[tool.poetry.dependencies]\npython = \"^3.11\"\nrequests = \"*\"\n[tool.poetry.scripts]\njob = \"job.main:main\"\n",
        ),
        ("poetry.lock", ""),
        ("src/job/main.py", "def main(): ...\n"),
    ]);
    let spec = found.spec("job");
    assert_eq!(spec.build.packages, ["py3.13-poetry-bin", "python-3.13"]);
    assert_eq!(
        spec.build.install.commands,
        [
            "/usr/bin/python3.13 -m venv --without-pip /app/.venv",
            "poetry install --only main --no-root"
        ]
    );
    assert_eq!(spec.runtime.env["PYTHONPATH"], "/app/src");
    assert_eq!(
        spec.runtime.command[2],
        "import sys; from job.main import main; sys.exit(main())"
    );
}

#[test]
fn a_distribution_without_a_usable_wheel_brings_a_compiler() {
    let found = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"job\"\nrequires-python = \"==3.13.*\"\ndependencies = [\"psycopg2\"]\n",
        ),
        (
            "uv.lock",
            "[[package]]\nname = \"psycopg2\"\nsource = { registry = \"r\" }\nsdist = { url = \"x\" }\nwheels = [\n  { url = \"p-cp313-cp313-win_amd64.whl\" },\n]\n[[package]]\nname = \"ok\"\nsource = { registry = \"r\" }\nsdist = { url = \"x\" }\nwheels = [ { url = \"ok-1-cp313-cp313-manylinux_2_17_x86_64.whl\" } ]\n",
        ),
        ("main.py", "print(1)\n"),
    ]);
    let spec = found.spec("job");
    assert_eq!(
        spec.build.packages,
        [
            "build-base",
            "postgresql-18-dev",
            "python-3.13",
            "python-3.13-dev",
            "uv"
        ]
    );
    assert_eq!(command(spec), "/app/.venv/bin/python main.py");
}

#[test]
fn a_procfile_names_the_processes() {
    let found = found(&[
        ("requirements.txt", "flask\ngunicorn\ncelery\n"),
        (
            "Procfile",
            "web: gunicorn -b 0.0.0.0:$PORT shop:app\nworker: celery -A shop worker\nrelease: python migrate.py\n",
        ),
        ("shop.py", "app = Flask(__name__)\n"),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(
        command(spec),
        "/app/.venv/bin/python -m gunicorn -b 0.0.0.0:8000 shop:app"
    );
    assert_eq!(spec.runtime.ports, [8000]);
    assert_eq!(
        spec.runtime.processes.keys().collect::<Vec<_>>(),
        ["release", "worker"]
    );
}

#[test]
fn settings_for_tools_are_no_project() {
    let found = found(&[
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n"),
        ("src/x.py", ""),
    ]);
    assert_eq!(found.names(), [""; 0]);
    assert!(found.rejected.is_empty());
}

#[test]
fn other_managers_are_named_and_refused() {
    let found = found(&[
        ("a/Pipfile", ""),
        ("a/main.py", ""),
        ("b/pdm.lock", ""),
        ("b/pyproject.toml", "[project]\nname = \"b\"\n"),
    ]);
    assert_eq!(
        found.messages(),
        [
            "a/Pipfile: installs with Pipenv, which is not supported",
            "b/pdm.lock: is a lock file of PDM, which is not supported"
        ]
    );
}
