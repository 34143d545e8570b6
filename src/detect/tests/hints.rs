//! Files that are no manifests, as evidence.

use super::{Detection, command, found};

use crate::spec::Kind;

/// A Go program that listens where no rule can see it.
const GO: &str = "package main\n\nfunc main() {\n\tserve()\n}\n";
const MOD: &str = "module example.com/m\n\ngo 1.26\n";

/// Two Go programs in directories of their own, with what else is there.
fn services(more: &[(&str, &str)]) -> Detection {
    let mut files = vec![
        ("services/api/go.mod", MOD),
        ("services/api/main.go", GO),
        ("services/mail/go.mod", MOD),
        ("services/mail/main.go", GO),
    ];
    files.extend(more);
    found(&files)
}

#[test]
fn a_compose_file_at_the_root_reaches_the_directories_of_its_services() {
    let compose = "\
x-common: &common
  restart: always
  environment:
    LOG_LEVEL: info
services:
  api:
    <<: *common
    build: ./services/api
    ports:
      - \"8080:${API_PORT:-4000}\"
    healthcheck:
      test: [\"CMD\", \"curl\", \"-f\", \"http://localhost:4000/healthz?full=1\"]
  mail:
    build:
      context: .
      dockerfile: services/mail/Dockerfile
    expose: [2525]
    environment:
      - SMTP_HOST
      - SMTP_USER=me
  db:
    image: postgres:17
    ports: [\"5432:5432\"]
";
    let found = services(&[
        ("compose.yaml", compose),
        ("services/mail/Dockerfile", "FROM scratch\n"),
    ]);
    assert_eq!(found.messages(), [""; 0]);
    assert_eq!(found.spec("api").runtime.ports, [4000]);
    assert_eq!(
        found.evidence("api", "port"),
        ["4000 compose.yaml:10 port.hint"]
    );
    // Whether it speaks HTTP is not known of a worker.
    assert_eq!(found.spec("api").runtime.health, None);
    assert_eq!(found.spec("mail").runtime.ports, [2525]);
    assert_eq!(
        found.evidence("mail", "environment"),
        [
            "SMTP_HOST compose.yaml:19 environment.hint",
            "SMTP_USER compose.yaml:20 environment.hint"
        ]
    );
}

#[test]
fn a_dockerfile_says_what_its_last_stage_listens_on() {
    let dockerfile = "\
# syntax=docker/dockerfile:1
FROM golang AS build
EXPOSE 9999
RUN <<EOF
EXPOSE 1
EOF
FROM scratch
ENV PORT=7000 \\
    # a comment between
    MODE=prod
EXPOSE $PORT/tcp 53/udp
HEALTHCHECK --interval=5s \\
  CMD wget -qO- http://127.0.0.1:$PORT/ready || exit 1
ENTRYPOINT [\"tini\", \"--\", \"/api\"]
";
    let found = services(&[("services/api/Dockerfile", dockerfile)]);
    assert_eq!(found.messages(), [""; 0]);
    assert_eq!(
        found.evidence("api", "port"),
        ["7000 services/api/Dockerfile:8 port.hint"]
    );
    assert!(found.evidence("mail", "port").is_empty());
}

#[test]
fn a_probe_of_a_cluster_makes_a_worker_a_web_app_with_a_health_route() {
    let manifest = "\
apiVersion: v1
kind: Service
metadata: {name: api}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  template:
    spec:
      containers:
        - name: main
          image: registry.example/team/api:1.2@sha256:00
          ports:
            - name: http
              containerPort: 4100
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
          env:
            - name: DATABASE_URL
              value: x
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec: {template: {spec: {containers: [{name: postgres, image: postgres, ports: [{containerPort: 5432}]}]}}}
";
    let found = services(&[("deploy/all.yaml", manifest)]);
    assert_eq!(found.messages(), [""; 0]);
    let spec = found.spec("api");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.runtime.ports, [4100]);
    assert_eq!(
        spec.runtime.health.as_ref().map(|h| h.endpoint.as_str()),
        Some("/readyz")
    );
    assert_eq!(
        found.evidence("api", "port"),
        ["4100 deploy/all.yaml:17 port.hint"]
    );
    assert_eq!(
        found.evidence("api", "health"),
        ["/readyz deploy/all.yaml:20 health.hint"]
    );
    assert_eq!(
        found.evidence("api", "environment"),
        ["DATABASE_URL deploy/all.yaml:23 environment.hint"]
    );
    assert!(found.spec("mail").runtime.ports.is_empty());
}

#[test]
fn a_workload_with_a_name_that_two_directories_have_is_about_neither() {
    let manifest =
        "kind: Pod\nspec: {containers: [{name: c, image: api, ports: [{containerPort: 1}]}]}\n";
    let found = services(&[
        ("old/api/go.mod", MOD),
        ("old/api/main.go", GO),
        ("k8s/pod.yaml", manifest),
    ]);
    for app in &found.apps {
        assert!(app.spec.runtime.ports.is_empty(), "{:?}", app.spec.metadata);
    }
}

#[test]
fn the_best_source_wins_and_the_others_are_named() {
    let found = services(&[
        (
            "services/api/fly.toml",
            "app = 'x'\n[http_service]\ninternal_port = 3000\n[[http_service.checks]]\npath = '/up'\n",
        ),
        ("services/api/Dockerfile", "FROM scratch\nEXPOSE 8080\n"),
    ]);
    let app = &found.apps[0];
    assert_eq!(app.spec.runtime.ports, [3000]);
    assert_eq!(app.spec.metadata.kind, Some(Kind::Web));
    assert_eq!(
        found.evidence("api", "health"),
        ["/up services/api/fly.toml:5 health.hint"]
    );
    let port = app.evidence.iter().find(|e| e.field == "port").unwrap();
    assert_eq!(port.losing[0].value, "8080");
    assert_eq!(port.losing[0].line, Some(2));
}

#[test]
fn a_contradiction_is_told_and_the_source_wins() {
    let source = "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.ListenAndServe(\":8080\", nil)\n}\n";
    let found = services(&[
        ("services/api/main.go", source),
        ("services/api/Dockerfile", "FROM scratch\nEXPOSE 80\n"),
        ("services/mail/main.go", source),
        (
            "services/mail/Dockerfile",
            "FROM scratch\nEXPOSE 9090 8080\n",
        ),
    ]);
    assert_eq!(found.spec("api").runtime.ports, [8080]);
    assert_eq!(
        found.messages(),
        [
            "services/api/Dockerfile:2: says port 80, but the app in `services/api` listens on 8080 by `services/api/main.go:6`"
        ]
    );
}

#[test]
fn what_others_take_for_an_app_and_no_language_knows_is_rejected_with_the_reason() {
    let found = services(&[
        (
            "compose.yml",
            "services:\n  legacy:\n    build: ./legacy\n  lib:\n    build: lib\n",
        ),
        ("legacy/main.cob", ""),
        ("lib/go.mod", MOD),
        ("lib/lib.go", "package lib\n"),
        ("proxy/Dockerfile", "FROM nginx\n"),
        ("proxy/nginx.conf", ""),
        ("docker/mail/Dockerfile", "FROM scratch\nEXPOSE 25\n"),
    ]);
    assert_eq!(
        found.reason("legacy"),
        "the service `legacy` in `compose.yml:2` makes an app of it, and no language knows it"
    );
    assert_eq!(
        found.reason("proxy"),
        "the last stage in `proxy/Dockerfile:1` makes an app of it, and no language knows it"
    );
    assert_eq!(found.spec("mail").runtime.ports, [25]);
    assert_eq!(
        found.messages(),
        [
            "compose.yml:4: the service `lib` is built from `lib`, which is taken for no app: it has no `package main` with a `func main`: it is a library"
        ]
    );
}

#[test]
fn a_program_of_several_in_a_module_has_the_hints_of_its_own_directory() {
    let found = found(&[
        ("go.mod", MOD),
        ("cmd/a/main.go", GO),
        ("cmd/b/main.go", GO),
        ("cmd/b/Dockerfile", "FROM scratch\nEXPOSE 81\n"),
        ("Dockerfile", "FROM scratch\nEXPOSE 82\n"),
    ]);
    assert!(found.spec("a").runtime.ports.is_empty());
    assert_eq!(found.spec("b").runtime.ports, [81]);
}

#[test]
fn platforms_name_ports_and_probes() {
    let render = "\
services:
  - type: web
    name: shop
    rootDir: services/api
    runtime: go
    healthCheckPath: /status
    envVars:
      - key: PORT
        value: 10000
      - key: TOKEN
        sync: false
";
    let found = services(&[
        ("render.yaml", render),
        (
            "services/mail/railway.json",
            "{\"deploy\": {\"startCommand\": \"x\",\n\"healthcheckPath\": \"/h\"}}",
        ),
        ("services/mail/app.json", "{\"expo\": {\"name\": \"x\"}}"),
    ]);
    assert_eq!(found.messages(), [""; 0]);
    assert_eq!(
        found.evidence("api", "port"),
        ["10000 render.yaml:9 port.hint"]
    );
    assert_eq!(
        found.evidence("api", "health"),
        ["/status render.yaml:6 health.hint"]
    );
    assert_eq!(
        found.evidence("api", "environment"),
        ["TOKEN render.yaml:10 environment.hint"]
    );
    // A route without a port proves nothing.
    assert_eq!(found.spec("mail").runtime.health, None);
}

#[test]
fn heroku_and_expo_share_the_name_of_a_file() {
    let found = services(&[(
        "services/api/app.json",
        "{\"formation\": {\"web\": {\"quantity\": 1}},\n\"env\": {\"SECRET\": {\"required\": true},\n\"PORT\": \"5000\"}}",
    )]);
    assert_eq!(
        found.evidence("api", "port"),
        ["5000 services/api/app.json:3 port.hint"]
    );
    assert_eq!(
        found.evidence("api", "environment"),
        ["SECRET services/api/app.json:2 environment.hint"]
    );
}

#[test]
fn a_port_that_is_only_habit_gives_way_to_a_hint() {
    let source = "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\thttp.ListenAndServe(os.Getenv(\"PORT\"), nil)\n}\n";
    let found = services(&[
        ("services/api/main.go", source),
        ("services/api/Dockerfile", "FROM scratch\nEXPOSE 4321\n"),
    ]);
    let spec = found.spec("api");
    assert_eq!(spec.runtime.ports, [4321]);
    assert_eq!(spec.runtime.env["PORT"], "4321");
}

#[test]
fn broken_and_hostile_hints_cost_a_warning_and_nothing_else() {
    let deep = "[".repeat(5000);
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x]\n{}services: *z\n",
        (b'b'..=b'z')
            .map(|name| {
                let (name, last) = (char::from(name), char::from(name - 1));
                format!(
                    "{name}: &{name} [{}]\n",
                    vec![format!("*{last}"); 9].join(",")
                )
            })
            .collect::<String>()
    );
    let found = services(&[
        ("compose.yaml", "services: [\n"),
        ("services/api/compose.yaml", &deep),
        ("services/mail/compose.yaml", &bomb),
        ("services/api/render.yaml", "services: {{ .Values }}\n"),
        ("services/api/Procfile", "\u{0}web: \n: x\nweb\n"),
        ("services/api/Dockerfile", "EXPOSE 1\nFROM \\\n"),
        (
            "services/mail/Dockerfile",
            "FROM a\nEXPOSE 99999 0 $X ${Y:-} -1\nCMD [\n",
        ),
        ("k8s/chart.yaml", "kind: {{ .x }}\ncontainers:\n"),
        (
            "services/mail/fly.toml",
            "app = 1\n[http_service]\ninternal_port = -5\n",
        ),
        ("services/mail/app.json", "{\"formation\": 3, \"env\": []}"),
    ]);
    assert_eq!(found.names(), ["api", "mail"]);
    let messages = found.messages();
    assert_eq!(messages.len(), 3, "{messages:#?}");
    for message in messages {
        assert!(
            message.ends_with("so nothing is known from it"),
            "{message}"
        );
    }
}

#[test]
fn a_procfile_is_read_once_for_all_languages() {
    let found = found(&[
        ("a/requirements.txt", "flask\ngunicorn\n"),
        (
            "a/Procfile",
            "# web: python no.py\nrelease: python migrate.py\nworker: python w.py\n",
        ),
        ("a/w.py", ""),
        ("a/shop.py", "app = Flask(__name__)\n"),
    ]);
    let spec = found.spec("a");
    assert_eq!(command(spec), "/app/.venv/bin/python w.py");
    assert_eq!(
        spec.runtime.processes.keys().collect::<Vec<_>>(),
        ["release"]
    );
    assert_eq!(spec.metadata.kind, Some(Kind::Worker));
}

#[test]
fn a_procfile_says_how_a_program_is_run() {
    let found = found(&[
        ("go.mod", "module ex.com/shop\n\ngo 1.26\n"),
        (
            "cmd/web/main.go",
            "package main\n\nfunc main() { http.ListenAndServe(address, nil) }\n",
        ),
        ("cmd/jobs/main.go", "package main\n\nfunc main() {}\n"),
        (
            "Procfile",
            "web: LEVEL=info bin/web serve --port $PORT\ncheck: bin/web check\njobs: ./jobs -n 2\nrelease: bin/migrate up\nmore: bin/web a; bin/web b\n",
        ),
    ]);
    let web = found.spec("web");
    assert_eq!(command(web), "/app/web serve --port 8080");
    assert_eq!(web.runtime.ports, [8080]);
    assert_eq!(web.runtime.env["LEVEL"], "info");
    assert_eq!(web.runtime.processes["check"], ["/app/web", "check"]);
    assert_eq!(command(found.spec("jobs")), "/app/jobs -n 2");
    assert_eq!(
        found.evidence("web", "start"),
        ["LEVEL=info bin/web serve --port $PORT Procfile:1 start.procfile"]
    );
    assert_eq!(
        found.messages(),
        [
            "Procfile:4: the process `release` is left out: `migrate` is not what the build makes",
            "Procfile:5: the process `more` is left out: a list of commands needs a shell: `; bin/web b`",
        ]
    );
}

#[test]
fn a_web_process_makes_a_program_listen() {
    let found = found(&[
        ("Cargo.toml", "[package]\nname = \"tool\"\n"),
        ("Cargo.lock", ""),
        ("src/main.rs", "fn main() { start(); }"),
        ("Procfile", "web: target/release/tool\n"),
    ]);
    let spec = found.spec("tool");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.runtime.ports, [8080]);
    assert_eq!(
        found.evidence("tool", "kind"),
        ["web Procfile:1 start.procfile"]
    );
}
