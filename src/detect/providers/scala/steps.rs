//! The steps of an sbt build: its commands, and the directories that it reads.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan, literal_glob, quoted, tree_glob};
use crate::detect::repo::{join, relative};
use crate::spec::Copy;

use super::{Build, OUT, Packager, Project};

impl Build {
    /// The commands, and what they leave.
    pub(super) fn steps(
        &self,
        scan: &Scan<'_>,
        draft: &mut Draft,
        project: &Project,
        (packager, is_new): (&Packager, bool),
    ) {
        let up = relative(&project.dir, &self.root);
        let up = if up == "." { "" } else { up.as_str() };
        let is_root = project.id.is_empty() || project.dir == self.root;
        let prefix = if is_root {
            String::new()
        } else {
            format!("{}/", project.id)
        };
        let go = if up.is_empty() {
            String::new()
        } else {
            format!("cd {} && ", quoted(up))
        };
        let task = format!(
            "{go}sbt -batch {}",
            quoted(&format!("{prefix}{}", packager.task()))
        );
        // Since sbt 2 every project has a part of the root's `target`.
        let (target, own) = if is_new {
            (join(up, "target"), format!("*/{}", project.id))
        } else {
            ("target".to_owned(), "*".to_owned())
        };
        let find = |what: &str| {
            let pattern = quoted(&format!("{own}{what}"));
            format!(
                "\"$(find {} -path {pattern} | head -n 1)\"",
                quoted(&target)
            )
        };
        let mut commands = vec![task];
        let mut copies = match packager {
            Packager::Assembly => {
                let jar = self.setting(project, "assemblyJarName");
                let jar = jar.map_or_else(
                    || "/*-assembly-*.jar".to_owned(),
                    |found| format!("/{}", found.value),
                );
                commands.push(format!("mkdir -p {OUT}; cp {} {OUT}/app.jar", find(&jar)));
                vec![(format!("{OUT}/app.jar"), "app.jar")]
            }
            _ if is_new => {
                commands.push(format!(
                    "mkdir -p {OUT}; cp -R {}/. {OUT}",
                    find("/universal/stage")
                ));
                vec![
                    (format!("{OUT}/lib"), "lib"),
                    (format!("{OUT}/conf"), "conf"),
                ]
            }
            _ => {
                let stage = "target/universal/stage";
                vec![
                    (format!("{stage}/lib"), "lib"),
                    (format!("{stage}/conf"), "conf"),
                ]
            }
        };
        let has_conf = scan.repo.dir(&join(&project.dir, "conf")).is_some();
        copies.retain(|(_, to)| *to != "conf" || has_conf);
        draft.spec.runtime.copy = copies
            .into_iter()
            .map(|(from, to)| Copy {
                from,
                to: to.to_owned(),
            })
            .collect();
        let build = &mut draft.spec.build;
        build.commands = commands;
        build.env = [
            ("JAVA_HOME", "/usr/lib/jvm/default-jvm"),
            ("COURSIER_CACHE", "/root/.cache/coursier"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        build.cache = ["/root/.cache/coursier", "/root/.ivy2", "/root/.sbt"]
            .map(str::to_owned)
            .into();
        build.context = self.context(scan, project);
        let evidence = Evidence::new("install", "none", "jvm.cached-by-the-build");
        draft.evidence.push(evidence.note(
            "sbt knows what it needs only while it builds; its caches are kept between builds",
        ));
    }

    /// The words behind `dependsOn` in the script of a project.
    fn needs_words(&self, project: &Project) -> BTreeSet<&str> {
        let code = self.source.code.get(project.text.clone());
        let needed = code.unwrap_or_default().split("dependsOn(").skip(1);
        let lists = needed.filter_map(|rest| rest.split(')').next());
        lists
            .flat_map(|words| words.split(|c: char| !(c.is_alphanumeric() || c == '_')))
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// The projects that this one depends on.
    fn needs_projects(&self, project: &Project) -> Vec<&Project> {
        let words = self.needs_words(project);
        let named = self
            .projects
            .iter()
            .filter(|other| words.contains(other.id.as_str()));
        named.collect()
    }

    /// The directories that a project is made of, and the files of the build.
    fn context(&self, scan: &Scan<'_>, project: &Project) -> Vec<String> {
        let mut needed = vec![project];
        let mut at = 0;
        while let Some(one) = needed.get(at).copied() {
            for other in self.needs_projects(one) {
                if !needed.iter().any(|known| known.dir == other.dir) {
                    needed.push(other);
                }
            }
            at += 1;
        }
        let mut globs: BTreeSet<String> = needed.iter().map(|one| tree_glob(&one.dir)).collect();
        if globs.contains("**") {
            return Vec::new();
        }
        if needed.iter().any(|one| one.dir == self.root) {
            return vec![tree_glob(&self.root)];
        }
        globs.insert(tree_glob(&join(&self.root, "project")));
        if let Some(dir) = scan.repo.dir(&self.root) {
            globs.extend(dir.files().iter().map(|file| literal_glob(&dir.join(file))));
        }
        globs.into_iter().collect()
    }

    /// The project that depends on this one.
    pub(super) fn user(&self, project: &Project) -> Option<&str> {
        let mut others = self.projects.iter().filter(|other| other.id != project.id);
        let user = others.find(|other| self.needs_words(other).contains(project.id.as_str()))?;
        Some(user.id.as_str())
    }
}
