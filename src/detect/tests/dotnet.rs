use super::{command, found};
use crate::spec::Kind;

fn project(sdk: &str, inside: &str) -> String {
    format!(
        "<Project Sdk=\"{sdk}\">\n  <PropertyGroup>\n    <TargetFramework>net10.0</TargetFramework>\n    {inside}\n  </PropertyGroup>\n</Project>\n"
    )
}

#[test]
fn what_is_no_app_is_told_why() {
    let sdk = "Microsoft.NET.Sdk";
    for (text, reason) in [
        (project(sdk, ""), "it is a class library"),
        (
            project(
                sdk,
                "<IsTestProject>true</IsTestProject><OutputType>Exe</OutputType>",
            ),
            "it is a test project",
        ),
        (
            project(sdk, "<OutputType>WinExe</OutputType>"),
            "it is an app with windows of its own, for desktops or phones",
        ),
        (
            project("Microsoft.NET.Sdk.Web", "<OutputType>Library</OutputType>"),
            "it is a class library",
        ),
        (
            project("Aspire.AppHost.Sdk/9.4.0", ""),
            "it starts the other projects while they are developed",
        ),
    ] {
        let found = found(&[("A.csproj", &text)]);
        assert!(found.apps.is_empty(), "{text}");
        assert_eq!(found.reason("."), reason, "{text}");
    }
}

#[test]
fn conditions_that_do_not_hold_for_a_release_do_not_count() {
    let text = "<Project Sdk=\"Microsoft.NET.Sdk.Web\">\n<PropertyGroup>\n<TargetFramework>net10.0</TargetFramework>\n<TargetFramework Condition=\"'$(Old)' == 'true'\">net9.0</TargetFramework>\n<AssemblyName Condition=\"'$(AssemblyName)' == ''\">Named</AssemblyName>\n</PropertyGroup>\n</Project>\n";
    let found = found(&[("A.csproj", text)]);
    let spec = found.spec("a");
    assert_eq!(spec.build.packages, ["dotnet-10-sdk"]);
    assert_eq!(command(spec), "/usr/bin/dotnet /app/Named.dll");
}

#[test]
fn a_runtime_that_is_not_packaged_is_replaced_by_the_next_and_a_future_one_is_refused() {
    let old = project("Microsoft.NET.Sdk.Web", "").replace("net10.0", "net6.0");
    let found_old = found(&[("A.csproj", &old)]);
    let spec = found_old.spec("a");
    assert_eq!(spec.runtime.env["DOTNET_ROLL_FORWARD"], "Major");
    assert_eq!(spec.runtime.env["ASPNETCORE_URLS"], "http://+:8080");
    assert_eq!(found_old.messages().len(), 1);
    let new = old.replace("net6.0", "net42.0");
    let found = found(&[("A.csproj", &new)]);
    assert_eq!(found.refused[0].reason, ".NET `net42.0` is not packaged");
}

#[test]
fn an_address_in_a_comment_or_of_development_is_none() {
    let text = project("Microsoft.NET.Sdk.Web", "");
    let found = found(&[
        ("A.csproj", &text),
        (
            "Program.cs",
            "// app.Run(\"http://*:1234\");\nvar s = \"http://*:1235\";\napp.Run(\"http://localhost:1236\");\n",
        ),
        (
            "appsettings.Development.json",
            "{\"urls\": \"http://*:1237\"}",
        ),
        (
            "Properties/launchSettings.json",
            "{\"profiles\": {\"a\": {\"applicationUrl\": \"http://*:1238\"}}}",
        ),
    ]);
    assert_eq!(found.spec("a").runtime.ports, [8080]);
    assert_eq!(
        found.messages(),
        [
            "Program.cs:3: listens on the loopback address, which nothing outside the container reaches"
        ]
    );
}

#[test]
fn a_broken_project_costs_itself_alone() {
    let text = project("Microsoft.NET.Sdk.Worker", "");
    let found = found(&[
        ("a/A.csproj", &text),
        ("b/B.csproj", "<Project>\n<PropertyGroup>\n</Project>"),
    ]);
    assert_eq!(found.names(), ["a"]);
    assert_eq!(found.spec("a").metadata.kind, Some(Kind::Worker));
    assert!(
        found.messages()[0].starts_with("b/B.csproj:3: is not valid XML"),
        "{:?}",
        found.messages()
    );
}

#[test]
fn properties_that_name_each_other_end() {
    let text = project(
        "Microsoft.NET.Sdk.Web",
        "<AssemblyName>$(B)$(B)</AssemblyName><B>$(AssemblyName)$(AssemblyName)</B>",
    );
    let found = found(&[("A.csproj", &text)]);
    assert_eq!(command(found.spec("a")), "/usr/bin/dotnet /app/A.dll");
}

#[test]
fn assets_beside_a_project_are_built_with_it() {
    let text = project("Microsoft.NET.Sdk.Web", "");
    let package = r#"{"name": "x", "scripts": {"build": "node build.js"}}"#;
    let found = found(&[
        ("app/A.csproj", &text),
        ("app/package.json", package),
        ("app/build.js", ""),
    ]);
    assert_eq!(found.names(), ["app"]);
    assert_eq!(found.spec("app").build.commands[0], "npm run build");
}

#[test]
fn what_dotnet_new_copies_is_no_app() {
    let web = project("Microsoft.NET.Sdk.Web", "");
    let found = found(&[
        ("content/.template.config/template.json", "{}"),
        ("content/src/A.csproj", &web),
        ("web/template.json", "{}"),
        ("web/Web.csproj", &web),
    ]);
    assert_eq!(found.names(), ["web"]);
    assert_eq!(
        found.reason("content/src"),
        "`content/.template.config/template.json` says that it is a template"
    );
}
