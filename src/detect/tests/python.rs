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
    let refused = &found.refused[0];
    assert_eq!(
        (refused.file.as_str(), refused.line, refused.reason.as_str()),
        (
            "app.py",
            Some(2),
            "`app:app` is a flask application, but no WSGI server is among the dependencies"
        )
    );
    assert_eq!(
        refused.help.as_deref(),
        Some("add `gunicorn` to the dependencies")
    );
    assert_eq!(refused.spec.metadata.framework.as_deref(), Some("flask"));
    assert_eq!(refused.spec.runtime.ports, [8000]);
}

#[test]
fn two_equal_applications_are_a_question() {
    let found = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("one/main.py", "app = FastAPI()\n"),
        ("two/main.py", "app = FastAPI()\n"),
    ]);
    assert_eq!(
        found.refused[0].reason,
        "two applications are equally likely: `one.main:app` and `two.main:app`"
    );
}

#[test]
fn a_procfile_line_decides_between_equal_applications() {
    let found = found(&[
        ("requirements.txt", "fastapi\nuvicorn\n"),
        ("one/main.py", "app = FastAPI()\n"),
        ("two/main.py", "app = FastAPI()\n"),
        (
            "Procfile",
            "web: APP_ENV=production uvicorn two.main:app --host 0.0.0.0 --port $PORT\n",
        ),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(
        command(spec),
        "/app/.venv/bin/python -m uvicorn two.main:app --host 0.0.0.0 --port 8000"
    );
    assert_eq!(spec.runtime.env["APP_ENV"], "production");
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
            "INSTALLED_APPS = ['django.contrib.staticfiles']\nSECRET_KEY = os.environ['SECRET_KEY']\nSTATIC_ROOT = BASE_DIR / 'staticfiles'\n",
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
        "SECRET_KEY=only-for-this-step /app/.venv/bin/python manage.py collectstatic --noinput"
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
        "/app/.venv/bin/python -m gunicorn --worker-tmp-dir /dev/shm -b 0.0.0.0:8000 shop:app"
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
fn a_lock_file_beats_a_stray_requirements_file_and_both_are_told() {
    let found = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"a\"\ndependencies = [\"flask\", \"gunicorn\"]\n",
        ),
        ("requirements.txt", "django\n"),
        ("poetry.lock", ""),
        ("uv.lock", "version = 1\n"),
        ("app.py", "app = Flask(__name__)\n"),
    ]);
    assert_eq!(found.spec("a").metadata.build_system.as_deref(), Some("uv"));
    assert_eq!(
        found.messages(),
        [
            "poetry.lock: is a lock file of poetry, but `uv.lock` comes first and uv is used",
            "requirements.txt: is not read: `uv.lock` decides, and uv is used",
        ]
    );
    let managed = &found.apps[0].evidence[1];
    assert_eq!(managed.field, "build_system");
    assert_eq!(managed.losing.len(), 2);
}

#[test]
fn pipenv_installs_from_its_lock_into_the_environment_of_the_image() {
    let found = found(&[
        (
            "Pipfile",
            "[packages]\nflask = \"*\"\n\n[requires]\npython_version = \"3.12\"\n",
        ),
        (
            "Pipfile.lock",
            r#"{"default": {"flask": {}, "gunicorn": {}}, "develop": {"uvicorn": {}}}"#,
        ),
        ("app.py", "app = Flask(__name__)\n"),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(spec.build.packages, ["py3.12-pipenv-bin", "python-3.12"]);
    assert_eq!(spec.build.install.files, ["Pipfile", "Pipfile.lock"]);
    assert_eq!(
        spec.build.install.commands,
        [
            "/usr/bin/python3.12 -m venv --without-pip /app/.venv",
            "pipenv install --deploy --ignore-pipfile"
        ]
    );
    assert_eq!(spec.build.env["VIRTUAL_ENV"], "/app/.venv");
    assert!(found.diagnostics.is_empty());
}

#[test]
fn what_poetry_installs_in_place_is_shipped_to_the_path_that_the_environment_refers_to() {
    let found = found(&[
        (
            "shop/pyproject.toml",
            "[tool.poetry]\nname = \"shop\"\npackage-mode = false\n[tool.poetry.dependencies]\npython = \"^3.11\"\nsigns = { path = \"wheels/signs-1.0-py3-none-any.whl\" }\nwords = { path = \"../words\", develop = true }\n",
        ),
        (
            "shop/poetry.lock",
            "[[package]]\nname = \"signs\"\nversion = \"1.0\"\ngroups = [\"main\"]\n\n[package.source]\ntype = \"file\"\nurl = \"wheels/signs-1.0-py3-none-any.whl\"\n\n\
             [[package]]\nname = \"spare\"\nversion = \"1.0\"\ngroups = [\"dev\"]\nfiles = []\ndevelop = true\n\n[package.source]\ntype = \"directory\"\nurl = \"../spare\"\n\n\
             [[package]]\nname = \"words\"\nversion = \"1.0\"\ngroups = [\"main\"]\nfiles = []\ndevelop = true\n\n[package.source]\ntype = \"directory\"\nurl = \"../words\"\n",
        ),
        (
            "shop/main.py",
            "import words\n\nif __name__ == \"__main__\":\n    words.serve()\n",
        ),
        ("shop/wheels/signs-1.0-py3-none-any.whl", "PK"),
        (
            "words/pyproject.toml",
            "[project]\nname = \"words\"\n[build-system]\nrequires = [\"poetry-core\"]\n",
        ),
        ("words/words/__init__.py", ""),
    ]);
    let spec = found.spec("shop");
    assert_eq!(
        spec.build.install.files,
        [
            "shop/poetry.lock",
            "shop/pyproject.toml",
            "shop/wheels/signs-1.0-py3-none-any.whl",
            "words/**"
        ]
    );
    assert_eq!(
        copies(spec),
        [
            "/app/.venv -> /app/.venv",
            "/src/words -> /src/words",
            "main.py -> main.py"
        ]
    );
}

#[test]
fn what_poetry_installs_in_place_is_known_without_a_lock_file() {
    let found = found(&[
        (
            "pyproject.toml",
            "[tool.poetry]\nname = \"shop\"\npackage-mode = false\n[tool.poetry.dependencies]\npython = \"^3.11\"\nsigns = { path = \"signs\" }\nwords = { path = \"words\", develop = true }\n[build-system]\nrequires = [\"poetry-core\"]\nbuild-backend = \"poetry.core.masonry.api\"\n",
        ),
        (
            "main.py",
            "import words\n\nif __name__ == \"__main__\":\n    words.serve()\n",
        ),
        ("signs/pyproject.toml", "[project]\nname = \"signs\"\n"),
        ("signs/signs/__init__.py", ""),
        ("words/pyproject.toml", "[project]\nname = \"words\"\n"),
        ("words/words/__init__.py", ""),
    ]);
    assert_eq!(
        copies(found.spec("shop")),
        [
            "/app/.venv -> /app/.venv",
            "/src/words -> /src/words",
            "main.py -> main.py"
        ]
    );
}

#[test]
fn what_pipenv_installs_in_place_is_shipped_but_for_the_project_itself() {
    let found = found(&[
        (
            "Pipfile",
            "[packages]\nshop = { path = \".\", editable = true }\nwords = { path = \"./words\", editable = true }\n",
        ),
        (
            "Pipfile.lock",
            "{\n  \"default\": {\n    \"shop\": {\"path\": \".\", \"editable\": true},\n    \"words\": {\"path\": \"./words\", \"editable\": true}\n  }\n}\n",
        ),
        (
            "main.py",
            "import words\n\nif __name__ == \"__main__\":\n    words.serve()\n",
        ),
        ("setup.py", "setup(name=\"shop\", py_modules=[\"main\"])\n"),
        (
            "words/setup.py",
            "setup(name=\"words\", packages=[\"words\"])\n",
        ),
        ("words/words/__init__.py", ""),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(spec.build.install.commands, [""; 0]);
    assert_eq!(
        spec.build.commands,
        [
            "/usr/bin/python3.13 -m venv --without-pip /app/.venv",
            "pipenv install --deploy --ignore-pipfile"
        ]
    );
    assert_eq!(
        copies(spec),
        [
            "/app/.venv -> /app/.venv",
            "/src/words -> /src/words",
            "main.py -> main.py"
        ]
    );
}

#[test]
fn settings_of_django_stay_beside_what_they_look_for() {
    let found = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\ndependencies = [\"django\", \"gunicorn\"]\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n",
        ),
        (
            "manage.py",
            "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")\n",
        ),
        ("shop/__init__.py", ""),
        (
            "shop/settings.py",
            "BASE_DIR = Path(__file__).resolve().parent.parent\nWSGI_APPLICATION = \"shop.wsgi.application\"\n",
        ),
        ("shop/wsgi.py", "application = get_wsgi_application()\n"),
        ("templates/index.html", "hello"),
    ]);
    let spec = found.spec("shop");
    assert_eq!(
        copies(spec),
        [
            "/app/.venv -> /app/.venv",
            "manage.py -> manage.py",
            "shop -> shop",
            "templates -> templates"
        ]
    );
}

const PDM_LOCK: &str = "[metadata]\ngroups = [\"default\"]\nstrategy = [\"inherit_metadata\"]\n\n[[metadata.targets]]\nrequires_python = \">=3.12,<3.14\"\n\n[[package]]\nname = \"gunicorn\"\nversion = \"23.0.0\"\ngroups = [\"default\"]\nfiles = [\n    {file = \"gunicorn-23.0.0-py3-none-any.whl\", hash = \"sha256:00\"},\n]\n";

#[test]
fn the_lock_of_pdm_is_installed_by_uv() {
    let found = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"a\"\ndependencies = [\"flask\", \"gunicorn\"]\n[tool.pdm]\ndistribution = false\n",
        ),
        ("pdm.lock", PDM_LOCK),
        ("app.py", "app = Flask(__name__)\n"),
    ]);
    let spec = found.spec("a");
    assert_eq!(spec.metadata.build_system.as_deref(), Some("pdm"));
    assert_eq!(spec.build.packages, ["python-3.13", "uv"]);
    assert_eq!(
        spec.build.install.commands[2],
        "uv pip install --no-deps -r /tmp/requirements.txt"
    );
}

#[test]
fn a_lock_of_pdm_without_groups_is_refused() {
    let found = found(&[
        ("pyproject.toml", "[project]\nname = \"a\"\n"),
        ("pdm.lock", "[[package]]\nname = \"x\"\nversion = \"1\"\n"),
        ("main.py", "print(1)\n"),
    ]);
    assert_eq!(found.refused[0].line, Some(2));
    assert!(found.refused[0].reason.contains("inherit_metadata"));
}

#[test]
fn a_project_without_a_build_system_installs_its_dependencies_alone() {
    let found = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"a\"\ndependencies = [\"flask\", \"gunicorn\"]\n",
        ),
        ("app.py", "app = Flask(__name__)\n"),
    ]);
    let spec = found.spec("a");
    assert_eq!(
        spec.build.install.commands,
        ["uv sync --no-dev --no-install-project"]
    );
    assert_eq!(
        found.messages(),
        ["pyproject.toml: has no `uv.lock`: the build takes whatever versions are newest"]
    );
}

#[test]
fn a_setup_py_names_its_dependencies_and_its_script() {
    let found = found(&[
        (
            "setup.py",
            "from setuptools import setup\n\nsetup(\n    name='sync',\n    python_requires='>=3.10,<3.13',\n    install_requires=['requests'],\n    entry_points={'console_scripts': ['sync = sync.cli:main']},\n)\n",
        ),
        ("sync/__init__.py", ""),
        (
            "sync/cli.py",
            "import argparse\ndef main():\n    argparse.ArgumentParser()\n",
        ),
    ]);
    let app = &found.apps[0];
    assert_eq!(
        app.spec.metadata.build_system.as_deref(),
        Some("setuptools")
    );
    assert_eq!(app.spec.metadata.kind, Some(Kind::Cli));
    assert_eq!(app.spec.build.packages, ["python-3.12"]);
    assert_eq!(command(&app.spec), "/app/.venv/bin/sync");
}

#[test]
fn what_is_editable_is_installed_again_from_the_source() {
    let found = found(&[
        (
            "requirements.txt",
            "-e ./libs/core  # ours\n-e .\ngunicorn\nflask\n",
        ),
        ("libs/core/setup.py", "setup()\n"),
        ("setup.py", "setup()\n"),
        ("app.py", "app = Flask(__name__)\n"),
    ]);
    let spec = &found.apps[0].spec;
    assert!(spec.build.install.commands.is_empty());
    assert_eq!(
        spec.build.commands[1..],
        [
            "/app/.venv/bin/python -m pip install -r requirements.txt",
            "/app/.venv/bin/python -m pip install --no-deps --force-reinstall .",
            "/app/.venv/bin/python -m pip install --no-deps --force-reinstall ./libs/core",
            "/app/.venv/bin/python -m pip uninstall --yes pip",
        ]
    );
    assert!(
        found
            .reason("libs/core")
            .starts_with("it is a library: `.` depends on it")
    );
}

#[test]
fn the_free_threaded_build_is_a_package_of_its_own_or_refused() {
    let files = |version| {
        [
            (".python-version", version),
            ("requirements.txt", ""),
            ("main.py", "print(1)\n"),
        ]
    };
    let had = found(&files("3.14t\n"));
    let spec = &had.apps[0].spec;
    assert_eq!(spec.build.packages, ["python-3.14t"]);
    assert_eq!(
        spec.build.install.commands[0],
        "/usr/bin/python3.14t -m venv /app/.venv"
    );
    let not_had = found(&files("3.13t\n"));
    assert_eq!(
        not_had.refused[0].reason,
        "the free-threaded Python `3.13t` is not packaged"
    );
}

#[test]
fn an_old_python_is_refused_with_what_is_known() {
    let found = found(&[
        ("runtime.txt", "python-2.7.18\n"),
        ("requirements.txt", "flask\ngunicorn\n"),
        ("app.py", "app = Flask(__name__)\n"),
    ]);
    let refused = &found.refused[0];
    assert_eq!(refused.reason, "Python `python-2.7.18` is not packaged");
    assert_eq!(
        (refused.file.as_str(), refused.line),
        ("runtime.txt", Some(1))
    );
    assert_eq!(refused.spec.metadata.framework.as_deref(), Some("flask"));
}

#[test]
fn a_program_alone_at_the_root_is_an_app_unless_another_language_is_there() {
    let program = ("hello.py", "print('hello')\n");
    assert_eq!(found(&[program]).apps.len(), 1);
    let with_script = found(&[
        program,
        ("go.mod", "module a\n\ngo 1.26\n"),
        ("main.go", "package main\nfunc main() {}\n"),
    ]);
    assert_eq!(with_script.names(), ["a"]);
    let inline = found(&[(
        "main.py",
        "# /// script\n# requires-python = \">=3.12,<3.13\"\n# dependencies = [\"requests\"]\n# ///\nimport requests\n",
    )]);
    let spec = &inline.apps[0].spec;
    assert_eq!(spec.build.packages, ["python-3.12", "uv"]);
    assert_eq!(spec.build.install.commands[1], "uv pip install -r main.py");
}

#[test]
fn nearly_right_names_earn_a_hint() {
    let found = found(&[("api/requirement.txt", "flask\n"), ("api/app.py", "")]);
    assert_eq!(
        found.messages(),
        ["api/requirement.txt: is not read: the name is `requirements.txt`"]
    );
}

#[test]
fn an_object_that_a_factory_makes_is_served() {
    let found = found(&[
        ("requirements.txt", "flask\ngunicorn\n"),
        (
            "shop/__init__.py",
            "def create_app(config=None):\n    app = Flask(__name__)\n    return app\n",
        ),
        (
            "wsgi.py",
            "from shop import create_app\napplication = create_app()\n",
        ),
    ]);
    assert!(command(&found.apps[0].spec).ends_with(" wsgi:application"));
}

#[test]
fn django_below_its_requirements_is_one_app() {
    let found = found(&[
        ("requirements.txt", "django\nuvicorn\n"),
        (
            "site/manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        ),
        (
            "site/shop/settings.py",
            "ASGI_APPLICATION = 'shop.asgi.application'\n",
        ),
        (
            "site/shop/asgi.py",
            "application = get_asgi_application()\n",
        ),
    ]);
    assert_eq!(found.apps.len(), 1);
    let spec = &found.apps[0].spec;
    assert_eq!(
        command(spec),
        "/app/.venv/bin/python -m uvicorn shop.asgi:application --host 0.0.0.0 --port 8000"
    );
    assert_eq!(spec.runtime.env["PYTHONPATH"], "/app/site");
    assert_eq!(spec.runtime.processes["release"][1], "site/manage.py");
}

#[test]
fn a_server_that_only_developers_install_is_no_server() {
    let found = found(&[
        (
            "pyproject.toml",
            "[project]\nname = \"a\"\ndependencies = [\"fastapi\"]\n[dependency-groups]\ndev = [\"uvicorn\"]\n",
        ),
        (
            "uv.lock",
            "[[package]]\nname = \"fastapi\"\ndependencies = [\n    { name = \"starlette\" },\n]\n\n[[package]]\nname = \"starlette\"\n\n[[package]]\nname = \"uvicorn\"\n",
        ),
        ("main.py", "app = FastAPI()\n"),
    ]);
    assert_eq!(
        found.refused[0].reason,
        "`main:app` is a fastapi application, but no ASGI server is among the dependencies"
    );
}

#[test]
fn of_many_sources_those_with_telling_names_are_read_however_deep_they_lie() {
    let many: Vec<String> = (0..99).map(|n| format!("shop/unit_{n:02}.py")).collect();
    let server = "HTTPServer(('0.0.0.0', 9000), Handler).serve_forever()\n";
    let mut files = vec![
        ("requirements.txt", ""),
        ("main.py", "from shop import web\n"),
        ("shop/inner/net/http_server.py", server),
    ];
    files.extend(many.iter().map(|file| (file.as_str(), "x = 1\n")));
    assert_eq!(found(&files).apps[0].spec.runtime.ports, [9000]);
}

#[test]
fn the_port_of_a_server_of_the_standard_library_is_found() {
    for (text, port, line) in [
        (
            "HTTPServer(('0.0.0.0', 9000), Handler).serve_forever()\n",
            9000,
            1,
        ),
        (
            "port = int(os.environ.get('PORT', '9001'))\nserve_forever()\n",
            9001,
            1,
        ),
        ("PORT = 9002\nTCPServer(('', PORT), Handler)\n", 9002, 1),
        (
            "# 1234\nuvicorn.run(app, host='0.0.0.0', port=9003)\n",
            9003,
            2,
        ),
        ("server.add_insecure_port('[::]:50051')\n", 50051, 1),
    ] {
        let found = found(&[("requirements.txt", ""), ("main.py", text)]);
        assert_eq!(found.apps[0].spec.runtime.ports, [port], "{text}");
        let evidence = found.apps[0].evidence.iter().find(|e| e.field == "port");
        assert_eq!(evidence.unwrap().line, Some(line), "{text}");
    }
}

#[test]
fn requirements_for_production_alone_make_a_project() {
    let flask = "from flask import Flask\napp = Flask(__name__)\n";
    let found = found(&[
        ("api/requirements-prod.txt", "flask\ngunicorn\n"),
        ("api/app.py", flask),
        ("web/requirements/production.txt", "-r base.txt\ngunicorn\n"),
        ("web/requirements/base.txt", "flask\n"),
        ("web/wsgi.py", flask),
        ("notes/requirements/ideas.md", ""),
        ("notes/app.py", flask),
    ]);
    assert_eq!(found.names(), ["api", "web"]);
    let install = |name: &str| found.spec(name).build.install.clone();
    assert_eq!(
        install("api").commands[1],
        "/app/.venv/bin/python -m pip install -r requirements-prod.txt"
    );
    assert_eq!(
        install("web").files,
        [
            "web/requirements/base.txt",
            "web/requirements/production.txt"
        ]
    );
    assert!(command(found.spec("web")).ends_with(" wsgi:app"));
}

#[test]
fn a_factory_may_be_defined_over_several_lines() {
    let app = |arguments: &str| {
        let code = format!(
            "from flask import Flask\n\n\ndef create_app(\n{arguments}\n) -> Flask:\n    app = Flask(__name__)\n    return app\n"
        );
        found(&[
            ("requirements.txt", "flask\ngunicorn\n"),
            ("shop/__init__.py", &code),
        ])
    };
    for optional in [
        "    config: dict[str, int] = {},\n    *extra,",
        "    name: str = make(1, 2),",
        "    **settings",
    ] {
        let found = app(optional);
        let spec = found.spec("app");
        assert!(command(spec).ends_with(" shop:create_app()"), "{optional}");
    }
    assert_eq!(app("    config: dict,").names(), [""; 0]);
}
