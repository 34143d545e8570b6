use super::{command, copies, found};
use crate::spec::Kind;

const MAIN: &str = "package a;\nclass Main {\n  public static void main(String[] args) {}\n}\n";

fn pom(inside: &str) -> String {
    format!(
        "<project>\n<groupId>g</groupId>\n<artifactId>a</artifactId>\n<version>1</version>\n{inside}\n</project>\n"
    )
}

fn toolchain(files: &[(&str, &str)]) -> (String, Vec<String>) {
    let found = found(files);
    let package = found
        .apps
        .first()
        .map(|app| app.spec.runtime.packages[0].clone());
    (package.unwrap_or_default(), found.messages())
}

#[test]
fn a_level_of_java_is_met_by_the_next_maintained_stream() {
    for (level, package, is_told) in [
        ("1.8", "openjdk-8-default-jvm", false),
        ("8", "openjdk-8-default-jvm", false),
        ("17", "openjdk-17-default-jvm", false),
        ("18", "openjdk-21-default-jvm", true),
        ("7", "openjdk-8-default-jvm", false),
    ] {
        let text = pom(&format!(
            "<properties><maven.compiler.source>{level}</maven.compiler.source></properties>"
        ));
        let (chosen, messages) =
            toolchain(&[("pom.xml", &text), ("src/main/java/a/Main.java", MAIN)]);
        assert_eq!(chosen, package, "{level}: {messages:?}");
        assert_eq!(!messages.is_empty(), is_told, "{level}: {messages:?}");
    }
}

#[test]
fn sources_of_the_java_version_have_an_order() {
    let text = pom("<properties><java.version>11</java.version></properties>");
    let pom = [
        ("pom.xml", text.as_str()),
        ("src/main/java/a/Main.java", MAIN),
    ];
    let with = |more: &[(&'static str, &'static str)]| -> String {
        let files: Vec<(&str, &str)> = pom.iter().copied().chain(more.iter().copied()).collect();
        toolchain(&files).0
    };
    assert_eq!(with(&[]), "openjdk-11-default-jvm");
    assert_eq!(
        with(&[("system.properties", "java.runtime.version=17\n")]),
        "openjdk-11-default-jvm"
    );
    assert_eq!(
        with(&[(".java-version", "# ours\ntemurin-21.0.2\n")]),
        "openjdk-21-default-jvm"
    );
    assert_eq!(
        with(&[(".sdkmanrc", "# comment\njava=17.0.9-tem\n")]),
        "openjdk-17-default-jvm"
    );
    let both = [
        (".tool-versions", "java zulu-25.28.85\n"),
        (".java-version", "17\n"),
    ];
    assert_eq!(with(&both), "openjdk-25-default-jvm");
    assert_eq!(with(&[(".java-version", "19\n")]), "openjdk-21-default-jvm");
}

#[test]
fn without_any_version_the_distribution_decides_and_spring_boot_sets_a_floor() {
    let plain = pom("");
    let (chosen, _) = toolchain(&[("pom.xml", &plain), ("src/main/java/a/Main.java", MAIN)]);
    assert_eq!(chosen, "openjdk-21-default-jvm");
    let boot = |version: &str| {
        format!(
            "<project><parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId>\n<version>{version}</version>\n</parent><artifactId>a</artifactId><version>1</version><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build></project>"
        )
    };
    assert_eq!(
        toolchain(&[("pom.xml", &boot("3.2.0"))]).0,
        "openjdk-17-default-jvm"
    );
    assert_eq!(
        toolchain(&[("pom.xml", &boot("2.7.18"))]).0,
        "openjdk-8-default-jvm"
    );
}

#[test]
fn the_name_of_the_jar_is_computed_or_searched_for() {
    let boot = "<build>FINAL<plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId><executions><execution><goals><goal>repackage</goal></goals></execution></executions></plugin></plugins></build>";
    let jar = |text: String| -> (Vec<String>, Vec<String>) {
        let found = found(&[("pom.xml", &text)]);
        let spec = &found.apps[0].spec;
        (copies(spec), spec.build.commands.clone())
    };
    let named = jar(pom(
        &boot.replace("FINAL", "<finalName>${project.artifactId}-app</finalName>")
    ));
    assert_eq!(named.0, ["target/a-app.jar -> app.jar"]);
    assert_eq!(
        jar(pom(&boot.replace("FINAL", ""))).0,
        ["target/a-1.jar -> app.jar"]
    );
    let unknown = pom(&boot.replace("FINAL", ""))
        .replace("<version>1</version>", "<version>${from.git}</version>");
    let unknown = jar(unknown);
    assert_eq!(unknown.0, ["/out/app.jar -> app.jar"]);
    assert!(
        unknown.1[1].contains("*-sources.jar|") && unknown.1[1].contains("original-"),
        "{:?}",
        unknown.1
    );
}

#[test]
fn a_plugin_that_repackages_nothing_leaves_the_jars_beside_each_other() {
    // Neither the parent nor an execution asks for `repackage`.
    let text = pom(
        "<dependencies><dependency><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter</artifactId></dependency></dependencies><build><plugins><plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>",
    );
    let found = found(&[("pom.xml", &text), ("src/main/java/a/Main.java", MAIN)]);
    let spec = found.spec("a");
    assert_eq!(
        spec.build.commands,
        ["mvn -B -ntp -DskipTests package dependency:copy-dependencies -DincludeScope=runtime"]
    );
    assert!(
        command(spec).ends_with("-cp /app/app.jar:/app/lib/* a.Main"),
        "{}",
        command(spec)
    );
}

#[test]
fn a_module_without_a_main_class_is_a_library_and_several_must_be_chosen_from() {
    let text = pom("");
    let library = found(&[
        ("pom.xml", &text),
        ("src/main/java/a/Thing.java", "package a;\nclass Thing {}\n"),
    ]);
    assert!(library.apps.is_empty());
    assert_eq!(library.reason("."), "it is a library: it has no main class");
    let other = MAIN.replace("Main", "Other");
    let several = found(&[
        ("pom.xml", &text),
        ("src/main/java/a/Main.java", MAIN),
        ("src/main/java/a/Other.java", &other),
    ]);
    assert_eq!(
        several.refused[0].reason,
        "has several main classes: `a.Main`, `a.Other`"
    );
    let named = pom("<properties><exec.mainClass>a.Other</exec.mainClass></properties>");
    let chosen = found(&[
        ("pom.xml", &named),
        ("src/main/java/a/Main.java", MAIN),
        ("src/main/java/a/Other.java", &other),
    ]);
    assert!(command(chosen.spec("a")).ends_with(" a.Other"));
}

#[test]
fn comments_and_strings_are_no_main_methods() {
    let text = pom("");
    let source = "package a;\n// public static void main(String[] a) {}\nclass A { String s = \"static void main(\"; }\n";
    let found = found(&[("pom.xml", &text), ("src/main/java/a/A.java", source)]);
    assert!(found.apps.is_empty());
}

#[test]
fn properties_that_name_each_other_end() {
    let text = pom(
        "<properties><a>${b}</a><b>${a}</b><x>${y}${y}</x><y>${x}${x}</y><java.version>${a}</java.version><jdk.version>${x}</jdk.version></properties>",
    );
    let found = found(&[("pom.xml", &text), ("src/main/java/a/Main.java", MAIN)]);
    assert_eq!(found.names(), ["a"]);
}

#[test]
fn a_parent_that_is_its_own_child_ends() {
    let found = found(&[
        (
            "pom.xml",
            "<project><parent><groupId>g</groupId><artifactId>b</artifactId><version>1</version><relativePath>b</relativePath></parent><artifactId>a</artifactId><modules><module>b</module></modules></project>",
        ),
        (
            "b/pom.xml",
            "<project><parent><groupId>g</groupId><artifactId>a</artifactId><version>1</version></parent><artifactId>b</artifactId><modules><module>..</module></modules></project>",
        ),
        ("b/src/main/java/a/Main.java", MAIN),
    ]);
    assert_eq!(found.names(), ["b"]);
}

#[test]
fn a_native_image_is_refused_unless_a_profile_asks_for_it() {
    let quarkus = "<build><plugins><plugin><artifactId>quarkus-maven-plugin</artifactId></plugin></plugins></build>";
    let always = pom(&format!(
        "<properties><quarkus.native.enabled>true</quarkus.native.enabled></properties>{quarkus}"
    ));
    let refused = found(&[("pom.xml", &always)]);
    assert_eq!(
        refused.refused[0].reason,
        "a native image needs GraalVM, which is not packaged"
    );
    let uber = pom(&format!(
        "<properties><quarkus.package.jar.type>uber-jar</quarkus.package.jar.type></properties>{quarkus}"
    ));
    assert_eq!(
        copies(found(&[("pom.xml", &uber)]).spec("a")),
        ["target/a-1-runner.jar -> app.jar"]
    );
}

#[test]
fn a_plugin_that_downloads_node_is_told() {
    let text = pom(
        "<build><plugins><plugin><artifactId>frontend-maven-plugin</artifactId><configuration><workingDirectory>web</workingDirectory></configuration></plugin></plugins></build>",
    );
    let package = r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}"#;
    let found = found(&[
        ("pom.xml", &text),
        ("src/main/java/a/Main.java", MAIN),
        ("web/package.json", package),
    ]);
    assert_eq!(found.names(), ["a"]);
    assert_eq!(found.reason("web"), "it builds the assets of the Java app");
    assert!(
        found.messages()[0].contains("downloads Node.js while it builds"),
        "{:?}",
        found.messages()
    );
    assert!(
        found
            .spec("a")
            .build
            .packages
            .contains(&"libstdc++".to_owned())
    );
}

const SETTINGS: (&str, &str) = ("settings.gradle", "rootProject.name = 'a'\n");

fn wrapper(version: &str) -> String {
    format!(
        "distributionUrl=https\\://services.gradle.org/distributions/gradle-{version}-bin.zip\n"
    )
}

#[test]
fn a_gradle_that_is_not_packaged_needs_its_whole_wrapper() {
    let script = (
        "build.gradle",
        "plugins { id 'application' }\napplication { mainClass = 'a.Main' }\n",
    );
    let properties = wrapper("8.5");
    let properties = (
        "gradle/wrapper/gradle-wrapper.properties",
        properties.as_str(),
    );
    let refused = found(&[SETTINGS, script, properties]);
    assert_eq!(
        refused.refused[0].reason,
        "Gradle 8.5 is not packaged; `gradle-9` is, and the wrapper lacks `gradlew`"
    );
    let whole = found(&[
        SETTINGS,
        script,
        properties,
        ("gradlew", "#!/bin/sh\n"),
        ("gradle/wrapper/gradle-wrapper.jar", ""),
    ]);
    assert_eq!(
        whole.spec("a").build.commands,
        ["sh gradlew --no-daemon :installDist"]
    );
    assert_eq!(whole.spec("a").runtime.packages, ["openjdk-21-default-jvm"]);
}

#[test]
fn an_old_gradle_runs_on_a_java_that_it_knows() {
    let properties = wrapper("7.4");
    let script = (
        "build.gradle",
        "plugins { id 'application' }\napplication { mainClass = 'a.Main' }\n",
    );
    let files = [
        SETTINGS,
        script,
        (
            "gradle/wrapper/gradle-wrapper.properties",
            properties.as_str(),
        ),
        ("gradlew", ""),
        ("gradle/wrapper/gradle-wrapper.jar", ""),
    ];
    assert_eq!(
        found(&files).spec("a").build.packages,
        ["openjdk-17-default-jdk"]
    );
    let mut files = files.to_vec();
    files[1].1 = "plugins { id 'application' }\napplication { mainClass = 'a.Main' }\njava { toolchain { languageVersion = JavaLanguageVersion.of(21) } }\n";
    let found = found(&files);
    let spec = found.spec("a");
    assert_eq!(
        spec.build.packages,
        ["openjdk-17-default-jdk", "openjdk-21"]
    );
    assert_eq!(spec.runtime.packages, ["openjdk-21-default-jvm"]);
}

#[test]
fn a_root_without_settings_has_the_name_of_its_directory_which_nobody_knows() {
    let found = found(&[(
        "build.gradle.kts",
        "plugins {\n  application\n}\napplication {\n  mainClass.set(\"a.Main\")\n}\n",
    )]);
    let spec = &found.apps[0].spec;
    assert_eq!(copies(spec), ["/out/lib -> lib"]);
    assert_eq!(
        spec.build.commands[1],
        "mkdir -p /out; cp -R build/install/*/lib /out/lib"
    );
}

#[test]
fn a_script_without_a_plugin_that_starts_is_a_library() {
    let main = ("src/main/java/a/Main.java", MAIN);
    let found = found(&[
        SETTINGS,
        (
            "build.gradle",
            "plugins { id 'java-library' }\n// id 'application'\n",
        ),
        main,
    ]);
    assert!(found.apps.is_empty());
    assert_eq!(
        found.reason("."),
        "`a.Main` has a main method, but no plugin makes a program of it: `application` does"
    );
}

#[test]
fn quarkus_with_gradle_is_its_whole_directory() {
    let found = found(&[
        SETTINGS,
        (
            "build.gradle",
            "plugins { id 'java'\n id 'io.quarkus' }\ndependencies {\n implementation 'io.quarkus:quarkus-rest'\n}\n",
        ),
    ]);
    let spec = found.spec("a");
    assert_eq!(spec.build.commands, ["gradle --no-daemon :quarkusBuild"]);
    assert_eq!(spec.runtime.copy.len(), 4);
    assert_eq!(
        (spec.metadata.kind, &spec.runtime.ports[..]),
        (Some(Kind::Web), &[8080][..])
    );
}

#[test]
fn a_program_of_sbt_that_nothing_packages_is_refused() {
    let found = found(&[
        ("build.sbt", "name := \"tool\"\n"),
        (
            "src/main/scala/Main.scala",
            "object Main extends App { println(1) }\n",
        ),
    ]);
    assert_eq!(
        found.refused[0].reason,
        "`Main` is a program, but no plugin packages it"
    );
}

#[test]
fn clojure_is_built_as_soon_as_the_index_has_its_tool() {
    let project = "(defproject a/b \"1\"\n  :main a.core)\n";
    let found = found(&[
        ("project.clj", project),
        ("lib/project.clj", "(defproject lib \"1\")\n"),
    ]);
    assert_eq!(
        found.refused[0].reason,
        "Leiningen is not packaged: the index has no `leiningen`"
    );
    assert_eq!(
        found.reason("lib"),
        "it is a library: `project.clj` names no `:main`"
    );
}

#[test]
fn the_main_method_of_scala_belongs_to_the_object_around_it() {
    let found = found(&[
        ("build.sbt", "enablePlugins(JavaAppPackaging)\n"),
        (
            "src/main/scala/A.scala",
            "package a\nobject Names { val x = 1 }\nobject Main {\n  def main(args: Array[String]): Unit = ()\n}\n",
        ),
    ]);
    assert!(
        command(&found.apps[0].spec).ends_with(" a.Main"),
        "{}",
        command(&found.apps[0].spec)
    );
}

#[test]
fn what_sbt_needs_may_stand_on_several_lines() {
    let found = found(&[
        (
            "build.sbt",
            "lazy val core = project\nlazy val app = project.dependsOn(\n  core\n).enablePlugins(JavaAppPackaging)\n",
        ),
        ("core/src/main/scala/C.scala", "object C extends App"),
        ("app/src/main/scala/A.scala", "object A extends App"),
    ]);
    assert_eq!(found.reason("core"), "it is a library: `app` depends on it");
    let context = &found.apps[0].spec.build.context;
    assert!(context.contains(&"core/**".to_owned()), "{context:?}");
}

#[test]
fn of_several_archives_the_one_with_the_ending_of_its_kind_is_taken() {
    let picked = |inside: &str| {
        let pom = format!(
            "<project><artifactId>a</artifactId><version>${{nobody.knows}}</version>{inside}</project>"
        );
        let found = found(&[("pom.xml", &pom), ("src/main/java/a/Main.java", MAIN)]);
        found.spec("a").build.commands[1].clone()
    };
    let assembly = picked(
        "<build><plugins><plugin><artifactId>maven-assembly-plugin</artifactId><configuration><archive><manifest><mainClass>a.Main</mainClass></manifest></archive></configuration></plugin></plugins></build>",
    );
    assert!(
        assembly.contains("for jar in target/*-jar-with-dependencies.jar; do"),
        "{assembly}"
    );
    let uber = picked(
        "<properties><quarkus.package.jar.type>uber-jar</quarkus.package.jar.type></properties><build><plugins><plugin><artifactId>quarkus-maven-plugin</artifactId></plugin></plugins></build>",
    );
    assert!(
        uber.contains("for jar in target/*-runner.jar; do"),
        "{uber}"
    );
    let shadow = found(&[
        (
            "build.gradle",
            "plugins { id 'com.gradleup.shadow' version '9.0.0' }\nversion = compute()\njar { manifest { attributes 'Main-Class': 'a.Main' } }\n",
        ),
        ("settings.gradle", "rootProject.name = 'a'\n"),
        ("src/main/java/a/Main.java", MAIN),
    ]);
    let commands = &shadow.apps[0].spec.build.commands;
    assert!(
        commands[1].contains("for jar in build/libs/*-all.jar; do"),
        "{commands:?}"
    );
}
