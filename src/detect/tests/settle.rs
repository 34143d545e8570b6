use super::found;

#[test]
fn a_name_in_a_manifest_never_becomes_shell() {
    let main = "package a;\nclass Main {\n  public static void main(String[] args) {}\n}\n";
    let found = found(&[
        (
            "pom.xml",
            "<project><artifactId>a</artifactId><version>${nobody.knows}</version><build><directory>out; touch x</directory></build></project>",
        ),
        ("src/main/java/a/Main.java", main),
    ]);
    let commands = &found.spec("a").build.commands;
    assert!(
        commands[1].contains("for jar in 'out; touch x'/*.jar; do"),
        "{commands:?}"
    );
}

#[test]
fn no_app_has_a_spec_that_its_own_reader_would_refuse() {
    let next = |config: &str| {
        found(&[
            (
                "package.json",
                r#"{"name": "a", "scripts": {"build": "next build"}, "dependencies": {"next": "15"}}"#,
            ),
            ("package-lock.json", "{}"),
            ("app/page.js", ""),
            ("next.config.js", config),
        ])
    };
    let found = next("module.exports = {\n  distDir: '../../out' }");
    let refused = &found.refused[0];
    assert_eq!(
        refused.reason,
        "`runtime.copy` would hold `../../out`: a path must not hold `..`"
    );
    assert!(refused.help.is_some() && !refused.file.is_empty());
    let found = next("module.exports = { distDir: 'out\u{7}' }");
    assert!(found.apps.is_empty() && found.refused.len() == 1);
}

#[test]
fn a_route_that_no_request_can_name_costs_only_the_route() {
    let found = found(&[
        (
            "pom.xml",
            "<project><parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>3.5.0</version></parent><artifactId>a</artifactId><version>1</version><dependencies><dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId></dependency><dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-actuator</artifactId></dependency></dependencies><build><plugins><plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build></project>",
        ),
        (
            "src/main/java/a/Main.java",
            "class Main { public static void main(String[] a) { SpringApplication.run(Main.class); } }",
        ),
        (
            "src/main/resources/application.properties",
            "management.endpoints.web.base-path=/my path\n",
        ),
    ]);
    assert_eq!(found.spec("a").runtime.health, None);
    assert!(
        found.messages()[0].contains("which is no route"),
        "{:?}",
        found.messages()
    );
}

#[test]
fn a_pattern_as_long_as_a_book_matches_nothing() {
    let pattern = "{a,b}".repeat(100_000);
    let manifest = format!(r#"{{"name": "r", "workspaces": ["{pattern}", "p/*"]}}"#);
    let app = r#"{"name": "web", "scripts": {"start": "node i.js"}}"#;
    let found = found(&[
        ("package.json", &manifest),
        ("p/web/package.json", app),
        ("p/web/i.js", "app.listen(3000)"),
    ]);
    assert_eq!(found.names(), ["p-web"]);
}

#[test]
fn variables_that_double_each_other_are_not_followed() {
    let mut file = "FROM a\nENV A0=xxxx\n".to_owned();
    for n in 1..60 {
        file.push_str(&format!("ENV A{n}=$A{0}$A{0}\n", n - 1));
    }
    file.push_str("EXPOSE $A59\n");
    let found = found(&[
        (
            "package.json",
            r#"{"name": "a", "scripts": {"start": "node i.js"}}"#,
        ),
        ("i.js", "app.listen(3000)"),
        ("Dockerfile", &file),
    ]);
    assert_eq!(found.spec("a").runtime.ports, [3000]);
}

#[test]
fn properties_that_name_each_other_many_times_end() {
    let properties: String = (0..15)
        .map(|n| format!("<p{n}>{}</p{n}>", format!("${{p{}}}", n + 1).repeat(12)))
        .collect();
    let pom = format!(
        "<project><artifactId>a</artifactId><version>${{p0}}</version><properties>{properties}<p15></p15></properties></project>"
    );
    let main = "class Main { public static void main(String[] a) {} }";
    let found = found(&[("pom.xml", &pom), ("src/main/java/Main.java", main)]);
    assert_eq!(found.names(), ["a"]);
}

#[test]
fn a_line_of_members_may_be_longer_than_a_stack_is_deep() {
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let looked = thread.spawn(a_long_line).unwrap().join();
    assert!(looked.is_ok());
}

fn a_long_line() {
    let names: Vec<String> = (0..1200).map(|n| format!("p/a{n}/package.json")).collect();
    let texts: Vec<String> = (0..1200)
        .map(|n| {
            format!(
                r#"{{"name": "a{n}", "dependencies": {{"a{}": "*"}}}}"#,
                n + 1
            )
        })
        .collect();
    let mut files: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().map(String::as_str))
        .collect();
    files.push((
        "package.json",
        r#"{"name": "r", "private": true, "workspaces": ["p/*"]}"#,
    ));
    let app = r#"{"name": "web", "scripts": {"start": "node i.js"}, "dependencies": {"a0": "*"}}"#;
    files.extend([
        ("p/web/package.json", app),
        ("p/web/i.js", "app.listen(3000)"),
    ]);
    let found = found(&files);
    let spec = found.spec("p-web");
    assert!(spec.build.install.files.len() < 10 && spec.build.context.is_empty());
    let last = spec.runtime.copy.last().unwrap();
    assert_eq!(last.to, "/app/p/web/package.json");
}
