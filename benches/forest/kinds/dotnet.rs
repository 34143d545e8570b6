//! Apps for .NET.

use super::{Kind, kind};
use crate::forest::sources::{CSHARP, FSHARP, VISUAL_BASIC};

pub(super) const APPS: &[Kind] = &[
    kind(
        "csharp",
        "dotnet",
        CSHARP,
        r#"
-- @Name@.csproj --
<Project Sdk="Microsoft.NET.Sdk.Web">

  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
  </PropertyGroup>

</Project>
-- Program.cs --
var app = WebApplication.CreateBuilder(args).Build();
app.MapGet("/", () => "@name@");
app.Run();
"#,
    ),
    kind(
        "fsharp",
        "dotnet",
        FSHARP,
        r#"
-- @Name@.fsproj --
<Project Sdk="Microsoft.NET.Sdk">

  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
  </PropertyGroup>

  <ItemGroup>
    <Compile Include="Program.fs" />
  </ItemGroup>

</Project>
-- Program.fs --
printfn "@name@"
"#,
    ),
    kind(
        "vb",
        "dotnet",
        VISUAL_BASIC,
        r#"
-- @Name@.vbproj --
<Project Sdk="Microsoft.NET.Sdk">

  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
  </PropertyGroup>

</Project>
-- Program.vb --
Module Program
    Sub Main()
        Console.WriteLine("@name@")
    End Sub
End Module
"#,
    ),
];
