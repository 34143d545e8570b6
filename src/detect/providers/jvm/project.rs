//! What Maven and Gradle modules have in common once their scripts are read: how the app is started, its port, its health.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan};
use crate::detect::source::Fact;
use crate::spec::{Copy, Kind};

use super::facts::Sources;
use super::java::Jdk;
use super::settings;

/// Where `java-common-jre` puts the runtime's program.
pub(in crate::detect::providers) const JAVA: &str = "/usr/bin/java";

/// What the build leaves, and what `java` is told to start it.
pub(super) struct Start {
    pub(super) copies: Vec<Copy>,
    pub(super) arguments: Vec<String>,
}

impl Start {
    /// A jar that holds everything.
    pub(super) fn jar(path: &str) -> Self {
        let name = if path.ends_with(".war") {
            "app.war"
        } else {
            "app.jar"
        };
        Self {
            copies: vec![copy(path, name)],
            arguments: vec!["-jar".to_owned(), format!("/app/{name}")],
        }
    }

    /// Quarkus' directory, whose layout its jar relies on.
    pub(super) fn quarkus(path: &str) -> Self {
        let parts = ["lib", "app", "quarkus", "quarkus-run.jar"];
        Self {
            copies: parts
                .iter()
                .map(|part| copy(&format!("{path}/{part}"), part))
                .collect(),
            arguments: vec!["-jar".to_owned(), "/app/quarkus-run.jar".to_owned()],
        }
    }

    /// Jars beside each other; `java` itself expands the asterisk.
    pub(super) fn class_path(copies: Vec<Copy>, main: &str) -> Self {
        let mut places: Vec<String> = copies
            .iter()
            .map(|copy| {
                if copy.to.ends_with(".jar") {
                    format!("/app/{}", copy.to)
                } else {
                    format!("/app/{}/*", copy.to)
                }
            })
            .collect();
        places.sort();
        Self {
            copies,
            arguments: vec!["-cp".to_owned(), places.join(":"), main.to_owned()],
        }
    }
}

pub(super) fn copy(from: &str, to: &str) -> Copy {
    Copy {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

/// What is known of a module before its build is written.
pub(super) struct Facts {
    pub(super) framework: Option<Fact<String>>,
    /// The dependency that reads the command line.
    pub(super) command_line: Option<Fact<String>>,
    /// The dependency that makes it a server.
    pub(super) server: Option<Fact<String>>,
    /// The dependency that answers whether it is well.
    pub(super) health: Option<Fact<String>>,
    /// Set where the framework is no server by itself.
    pub(super) sources: Sources,
}

/// Kind, framework, port and health.
pub(super) fn describe(scan: &mut Scan<'_>, draft: &mut Draft, facts: &Facts) {
    let path = draft.path.clone();
    let framework = facts.framework.as_ref().map(|fact| fact.value.as_str());
    draft.spec.metadata.framework = framework.map(str::to_owned);
    let listens = facts.sources.listens();
    let is_off = framework == Some("spring-boot")
        && settings::value(scan, &path, "spring.main.web-application-type")
            .is_some_and(|found| found.value == "none");
    let server = facts.server.clone().filter(|_| !is_off);
    // Spring's own call says nothing of a server.
    let listens = listens
        .filter(|call| framework != Some("spring-boot") && call.value != "SpringApplication.run");
    let Some(evidence) = server.or(listens) else {
        if let Some(found) = &facts.command_line {
            draft.spec.metadata.kind = Some(Kind::Cli);
            let evidence = Evidence::new("kind", "cli", "jvm.command-line").written(&found.value);
            draft
                .evidence
                .push(evidence.at(&found.file, Some(found.line)));
            return;
        }
        draft.spec.metadata.kind = Some(Kind::Worker);
        draft
            .evidence
            .push(Evidence::new("kind", "worker", "jvm.listens-nowhere"));
        return;
    };
    draft.spec.metadata.kind = Some(Kind::Web);
    let web = Evidence::new("kind", "web", "jvm.listens").written(&evidence.value);
    draft
        .evidence
        .push(web.at(&evidence.file, Some(evidence.line)));
    port(scan, draft, framework, facts);
    health(scan, draft, framework, facts);
}

fn port(scan: &Scan<'_>, draft: &mut Draft, framework: Option<&str>, facts: &Facts) {
    let path = draft.path.clone();
    let key = match framework {
        Some("spring-boot") => "server.port",
        Some("quarkus") => "quarkus.http.port",
        Some("micronaut") => "micronaut.server.port",
        Some("ktor") => "ktor.deployment.port",
        _ => "",
    };
    if !key.is_empty() {
        let found = settings::port_at(scan, &path, key);
        let found =
            found.or_else(|| settings::hocon_port(scan, &path).filter(|_| key.starts_with("ktor")));
        if let Some(found) = found {
            draft.listens_on(&found, "jvm.configured-port");
            return;
        }
    }
    if matches!(framework, Some("spring-boot" | "quarkus" | "micronaut")) {
        let usual = Fact {
            value: 8080,
            file: String::new(),
            line: 0,
        };
        draft.listens_on(&usual, "");
        return;
    }
    match facts.sources.port() {
        Some(found) => draft.listens_on(&found, "jvm.port-in-code"),
        None if facts.sources.reads_port() => draft.is_given_port(8080),
        None => {}
    }
}

fn health(scan: &Scan<'_>, draft: &mut Draft, framework: Option<&str>, facts: &Facts) {
    let path = draft.path.clone();
    let Some(by) = &facts.health else {
        if let Some(found) = facts.sources.health() {
            draft.answers(&found);
        }
        return;
    };
    let at = |key: &str| -> Option<String> {
        let found = settings::value(scan, &path, key)?;
        settings::literal(&found.value).map(|text| text.trim_end_matches('/').to_owned())
    };
    let endpoint = match framework {
        Some("spring-boot") => {
            if at("management.server.port").is_some() {
                return;
            }
            let context =
                at("server.servlet.context-path").or_else(|| at("spring.webflux.base-path"));
            let base = at("management.endpoints.web.base-path");
            let base = base.unwrap_or_else(|| "/actuator".to_owned());
            format!("{}{base}/health", context.unwrap_or_default())
        }
        Some("quarkus") => {
            if at("quarkus.management.enabled").as_deref() == Some("true") {
                return;
            }
            let root = at("quarkus.http.root-path").unwrap_or_default();
            let own = at("quarkus.http.non-application-root-path");
            let own = own.unwrap_or_else(|| "q".to_owned());
            let own = if own.starts_with('/') {
                own
            } else {
                format!("{root}/{own}")
            };
            let health = at("quarkus.smallrye-health.root-path");
            let health = health.unwrap_or_else(|| "health".to_owned());
            if health.starts_with('/') {
                health
            } else {
                format!("{own}/{health}")
            }
        }
        Some("micronaut") => {
            let base = at("endpoints.all.path").unwrap_or_default();
            format!("{base}/health")
        }
        _ => return,
    };
    draft.spec.runtime.health = Some(crate::spec::Health {
        endpoint: endpoint.clone(),
    });
    let found = Evidence::new("health", endpoint, "jvm.health-dependency").written(&by.value);
    draft.evidence.push(found.at(&by.file, Some(by.line)));
}

/// The runtime and how it is started.
pub(super) fn run(draft: &mut Draft, jdk: &Jdk, start: Start) {
    let runtime = &mut draft.spec.runtime;
    runtime.packages = vec![jdk.runtime.clone()];
    runtime.copy = start.copies;
    runtime.copy.sort();
    let mut command = vec![JAVA.to_owned(), "-XX:MaxRAMPercentage=75".to_owned()];
    if jdk.number < 18 {
        // Later ones take UTF-8 without being told (JEP 400).
        command.push("-Dfile.encoding=UTF-8".to_owned());
    }
    command.extend(start.arguments);
    runtime.command = command;
    if draft.spec.metadata.framework.as_deref() == Some("spring-boot")
        && draft.spec.metadata.kind == Some(Kind::Web)
    {
        runtime.writable = vec!["/tmp".to_owned()];
        draft.evidence.push(Evidence::new(
            "writable",
            "/tmp",
            "spring-boot.temporary-directory",
        ));
    }
}

/// Beginnings of artifacts that listen by themselves, those of one framework together.
pub(super) const SERVERS: &[&str] = &[
    "spring-boot-starter-web",
    "spring-boot-starter-graphql",
    "spring-boot-starter-jersey",
    "spring-boot-starter-rsocket",
    "spring-boot-starter-tomcat",
    "spring-cloud-starter-gateway",
    "spring-cloud-starter-netflix-eureka-server",
    "spring-cloud-config-server",
    "spring-boot-admin-starter-server",
    "quarkus-rest",
    "quarkus-resteasy",
    "quarkus-vertx-http",
    "quarkus-reactive-routes",
    "quarkus-undertow",
    "quarkus-grpc",
    "quarkus-smallrye-graphql",
    "micronaut-http-server",
    "micronaut-grpc-server",
    "ktor-server-netty",
    "ktor-server-cio",
    "ktor-server-jetty",
    "ktor-server-tomcat",
    "javalin",
    "dropwizard-core",
    "helidon-webserver",
    "vertx-web",
];

/// Artifacts that answer whether the app is well.
pub(super) const HEALTH: &[&str] = &[
    "spring-boot-starter-actuator",
    "quarkus-smallrye-health",
    "micronaut-management",
];

/// Artifacts of programs that people call with arguments.
pub(super) const COMMAND_LINE: &[&str] =
    &["clikt", "clikt-jvm", "commons-cli", "jcommander", "picocli"];
