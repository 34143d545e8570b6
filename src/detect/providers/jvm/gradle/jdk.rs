//! The Java of a Gradle project, and the one that Gradle itself runs on.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan};
use crate::detect::source::Fact;
use crate::detect::version::{Source, numbers};

use super::super::java;
use super::super::maven::boot_needs;
use super::{Project, script};

/// The Java that the program runs on; the one that Gradle itself runs on may be another.
pub(super) fn jdk(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    project: &Project<'_>,
    gradle: &str,
) -> Result<java::Jdk, Problem> {
    let manifest = project.scripts[0].file.clone();
    let toolchain = project
        .argument("JavaLanguageVersion.of")
        .or_else(|| project.argument("jvmToolchain"));
    let toolchain = toolchain.or_else(|| {
        let root = script(scan, &project.build.root, "build")?;
        root.argument("JavaLanguageVersion.of")
            .or_else(|| root.argument("jvmToolchain"))
    });
    let toolchain = toolchain.filter(|found| java::number_of(&found.value).is_some());
    let mut sources = Vec::new();
    let is_pinned = toolchain.is_some();
    // Gradle itself looks for this one and takes no other.
    sources.extend(toolchain.map(|fact| java::source(fact, java::TOOLCHAIN)));
    if sources.is_empty() {
        sources = java::sources(scan, project.dir);
    }
    let levels = [
        "targetCompatibility",
        "sourceCompatibility",
        "jvmTarget",
        "options.release",
    ];
    for name in levels {
        let found = project.argument(name).and_then(level);
        sources.extend(found.map(|fact| java::source(fact, java::LEVEL)));
    }
    sources.extend(java::system_properties(scan, project.dir));
    let floor = boot_version(scan, project).map_or(8, |version| boot_needs(&version));
    let (least, most) = runs_on(gradle);
    let limits = Limits {
        gradle,
        manifest: &manifest,
        least,
        most,
    };
    let jdk = if is_pinned {
        let jdk = java::choose(scan, &manifest, &sources, floor)?;
        limits.beside(scan, draft, &jdk)?;
        jdk
    } else {
        let jdk = limits.choose(scan, &sources, floor)?;
        draft.spec.build.packages.push(jdk.kit.clone());
        jdk
    };
    draft.evidence.push(jdk.evidence.clone());
    Ok(jdk)
}

/// The version of Spring Boot, which the root may name for all.
fn boot_version(scan: &Scan<'_>, project: &Project<'_>) -> Option<String> {
    let id = "org.springframework.boot";
    let own = project.plugins.iter().find(|plugin| plugin.id == id)?;
    own.version.clone().or_else(|| {
        let root = script(scan, &project.build.root, "build")?;
        let plugins = root.plugins(&project.build.catalog);
        plugins.into_iter().find(|plugin| plugin.id == id)?.version
    })
}

/// Between which numbers of Java a Gradle runs.
struct Limits<'a> {
    gradle: &'a str,
    manifest: &'a str,
    least: u64,
    most: u64,
}

impl Limits<'_> {
    /// The kit that the project asks for, and another one for Gradle where it does not run on that.
    fn beside(&self, scan: &Scan<'_>, draft: &mut Draft, jdk: &java::Jdk) -> Result<(), Problem> {
        let packages = &mut draft.spec.build.packages;
        if (self.least..=self.most).contains(&jdk.number) {
            packages.push(jdk.kit.clone());
            return Ok(());
        }
        let host = java::between(scan, self.least, self.most);
        let host = host.ok_or_else(|| self.cannot_run())?;
        packages.push(format!("openjdk-{host}-default-jdk"));
        packages.push(format!("openjdk-{}", jdk.number));
        let note = format!(
            "Gradle runs on this one and compiles with Java {}",
            jdk.number
        );
        let evidence = Evidence::new("toolchain", format!("openjdk-{host}"), "gradle.runs-on");
        draft.evidence.push(evidence.note(note));
        Ok(())
    }

    /// One kit for Gradle and for the project.
    fn choose(
        &self,
        scan: &mut Scan<'_>,
        sources: &[Source],
        floor: u64,
    ) -> Result<java::Jdk, Problem> {
        let floor = floor.max(self.least);
        let jdk = java::choose(scan, self.manifest, sources, floor)?;
        if jdk.number <= self.most {
            return Ok(jdk);
        }
        if !sources.is_empty() {
            return Err(self.cannot_run());
        }
        // Nobody asks for the usual one.
        let number = java::between(scan, floor, self.most).ok_or_else(|| self.cannot_run())?;
        let asked = Fact {
            value: number.to_string(),
            file: String::new(),
            line: 0,
        };
        let mut jdk = java::choose(
            scan,
            self.manifest,
            &[java::source(asked, java::LEVEL)],
            floor,
        )?;
        let note = format!("Gradle {} runs on Java {} at most", self.gradle, self.most);
        let evidence = Evidence::new("toolchain", format!("openjdk-{number}"), "gradle.runs-on");
        jdk.evidence = evidence.note(note);
        Ok(jdk)
    }

    fn cannot_run(&self) -> Problem {
        let (gradle, most) = (self.gradle, self.most);
        let message =
            format!("Gradle {gradle} runs on Java {most} at most, and no packaged one fits");
        Problem::new(self.manifest, None, message).help("move to a newer Gradle")
    }
}

/// `JavaVersion.VERSION_17`, `JvmTarget.JVM_17`, `'1.8'`, `17`.
fn level(fact: Fact<String>) -> Option<Fact<String>> {
    let number = fact.value.rsplit(['.', '_']).next()?;
    let number = if fact.value.starts_with("1.") {
        &fact.value
    } else {
        number
    };
    let number = java::number_of(number)?;
    let value = number.first()?.to_string();
    Some(Fact { value, ..fact })
}

/// The oldest and the newest Java that a Gradle runs on
/// (<https://docs.gradle.org/current/userguide/compatibility.html>).
fn runs_on(gradle: &str) -> (u64, u64) {
    /// Since which Gradle, which Java; sorted.
    const NEWEST: &[([u64; 2], u64)] = &[
        ([2, 0], 8),
        ([4, 7], 10),
        ([5, 0], 11),
        ([5, 4], 12),
        ([6, 0], 13),
        ([6, 3], 14),
        ([6, 7], 15),
        ([7, 0], 16),
        ([7, 3], 17),
        ([7, 5], 18),
        ([7, 6], 19),
        ([8, 3], 20),
        ([8, 5], 21),
        ([8, 8], 22),
        ([8, 10], 23),
        ([8, 14], 24),
        ([9, 1], 25),
        ([9, 4], 26),
    ];
    let found = numbers(gradle);
    let at = |index: usize| found.get(index).copied().unwrap_or(0);
    let version = [at(0), at(1)];
    let newest = NEWEST.iter().rfind(|(since, _)| *since <= version);
    let least = if version[0] >= 9 { 17 } else { 8 };
    (least, newest.map_or(8, |(_, java)| *java))
}
