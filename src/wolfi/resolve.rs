//! From a request to the packages that must be installed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::atom::Atom;
use super::index::{Index, NameId, Package};
use super::solver::{Provider, Solver, compare, is_met, is_selectable};
use super::unsatisfiable::{Unsatisfiable, explain};

/// The package whose links make `/bin`, `/lib` and the like one with `/usr`; it is always unpacked first.
const MERGE_PACKAGE: &str = "wolfi-baselayout";

/// The packages of a request, in the order in which they are installed.
#[derive(Clone, Debug)]
pub struct Closure<'a> {
    members: Vec<Member<'a>>,
}

/// A package of a closure, and why it is there.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The package.
    pub package: &'a Package,
    /// Why it is there.
    pub reason: Reason,
}

/// Why a package is in a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request asks for it by this atom.
    Requested(Atom),
    /// Another package of the closure, the nearest to the request, needs it.
    Needed {
        /// The name of that package.
        by: String,
        /// Its dependency.
        through: Atom,
    },
}

/// Chooses the packages that satisfy every atom of `world` and their dependencies, as apk 2.14 chooses them.
///
/// The same index and request give the same closure, whatever the order of the request.
///
/// # Errors
///
/// Lists everything that cannot be satisfied.
pub fn resolve<'a>(index: &'a Index, world: &[Atom]) -> Result<Closure<'a>, Unsatisfiable> {
    let mut world = world.to_vec();
    world.sort_by_cached_key(|atom| (atom.name.clone(), atom.to_string()));
    world.dedup();
    let chosen = choose(index, &world);
    let packages: BTreeMap<&str, &Package> = chosen
        .reached
        .iter()
        .map(|reached| (reached.package.name.as_str(), reached.package))
        .collect();
    explain(index, &world, &packages)?;
    let reasons: BTreeMap<&str, &Reason> = chosen
        .reached
        .iter()
        .map(|reached| (reached.package.name.as_str(), &reached.reason))
        .collect();
    let members = in_order(&packages, &chosen.providers)
        .into_iter()
        .map(|package| Member {
            package,
            reason: reasons[package.name.as_str()].clone(),
        })
        .collect();
    Ok(Closure { members })
}

/// What apk would choose for `atom` under the name `id`, were nothing else asked for.
pub(super) fn preferred<'a>(index: &'a Index, id: NameId, atom: &Atom) -> Option<&'a Package> {
    let mut best: Option<Provider<'_>> = None;
    for id in index.provider_ids(id) {
        let package = index.package(id);
        let version = package.version_as(&atom.name);
        let provider = Provider {
            id,
            package,
            version,
        };
        let fits =
            package.is_installable() && is_met(atom, Some(provider)) && is_selectable(&provider);
        if fits && best.is_none_or(|best| compare(&provider, &best).is_gt()) {
            best = Some(provider);
        }
    }
    best.map(|best| best.package)
}

struct Chosen<'a> {
    /// Nearest to the request first.
    reached: Vec<Member<'a>>,
    /// The name of the chosen package per demanded name.
    providers: BTreeMap<String, &'a str>,
}

fn choose<'a>(index: &'a Index, world: &[Atom]) -> Chosen<'a> {
    let mut chosen = Chosen {
        reached: Vec::new(),
        providers: BTreeMap::new(),
    };
    let mut solver = Solver::new(index);
    solver.run(world);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut queue: VecDeque<(Reason, Atom)> = world
        .iter()
        .map(|atom| (Reason::Requested(atom.clone()), atom.clone()))
        .collect();
    while let Some((reason, atom)) = queue.pop_front() {
        if atom.conflict {
            continue;
        }
        let Some(provider) = solver.chosen(&atom.name) else {
            continue;
        };
        let package = provider.package;
        chosen.providers.insert(atom.name, &package.name);
        if !seen.insert(&package.name) {
            continue;
        }
        for through in &package.depends {
            let reason = Reason::Needed {
                by: package.name.clone(),
                through: through.clone(),
            };
            queue.push_back((reason, through.clone()));
        }
        chosen.reached.push(Member { package, reason });
    }
    chosen
}

// Dependencies before dependents, otherwise by name; a cycle is entered at its first name.
fn in_order<'a>(
    packages: &BTreeMap<&str, &'a Package>,
    providers: &BTreeMap<String, &'a str>,
) -> Vec<&'a Package> {
    let mut order: Vec<&Package> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    if let Some(package) = packages.get(MERGE_PACKAGE) {
        seen.insert(MERGE_PACKAGE);
        order.push(package);
    }
    for (name, package) in packages {
        let mut stack = vec![(*package, needs(package, providers))];
        if !seen.insert(name) {
            continue;
        }
        while let Some((package, needs_left)) = stack.last_mut() {
            let Some(next) = needs_left.pop() else {
                order.push(package);
                stack.pop();
                continue;
            };
            if let Some((name, package)) = packages.get_key_value(next)
                && seen.insert(name)
            {
                stack.push((*package, needs(package, providers)));
            }
        }
    }
    order
}

// The names of the packages that `package` needs, last name first.
fn needs<'a>(package: &Package, providers: &BTreeMap<String, &'a str>) -> Vec<&'a str> {
    let needs: BTreeSet<&str> = package
        .depends
        .iter()
        .filter(|atom| !atom.conflict)
        .filter_map(|atom| providers.get(&atom.name).copied())
        .collect();
    needs.into_iter().rev().collect()
}

impl<'a> Closure<'a> {
    /// The packages in the order of their installation: wolfi-baselayout, then dependencies before dependents,
    /// otherwise by name.
    #[must_use]
    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The packages alone, in the same order.
    pub fn packages(&self) -> impl Iterator<Item = &'a Package> {
        self.members.iter().map(|member| member.package)
    }

    /// The package of this real name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a Package> {
        self.packages().find(|package| package.name == name)
    }

    /// The packages from the request down to `name`, each needing the next; empty if `name` is not in the closure.
    #[must_use]
    pub fn path(&self, name: &str) -> Vec<&'a Package> {
        let members: BTreeMap<&str, &Member<'_>> = self
            .members
            .iter()
            .map(|member| (member.package.name.as_str(), member))
            .collect();
        let mut path = Vec::new();
        let mut name = name;
        // The reasons lead to the request without a circle: each is nearer to it than the one before.
        while let Some(member) = members.get(name) {
            path.push(member.package);
            let Reason::Needed { by, .. } = &member.reason else {
                break;
            };
            name = by;
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Dice, tiny};
    use super::super::unsatisfiable::Problem;
    use super::*;

    fn world(request: &str) -> Vec<Atom> {
        request
            .split_whitespace()
            .map(|atom| atom.parse().unwrap())
            .collect()
    }

    // The closure as `name-version` in its order, or the message.
    fn solve(index: &Index, request: &str) -> String {
        match resolve(index, &world(request)) {
            Ok(closure) => {
                let names: Vec<String> = closure
                    .packages()
                    .map(|package| format!("{}-{}", package.name, package.version))
                    .collect();
                names.join(" ")
            }
            Err(error) => format!("error: {error}"),
        }
    }

    fn lab() -> Index {
        tiny(
            "foo 1.2.3-r0 | p:cmd:foo=1.2.3-r0 foo-api=1.2 | C:Q14rMw23N1pjIQ+K64F3WtmO8K5VY=
             foo 1.2.4-r0 | p:cmd:foo=1.2.4-r0 foo-api=1.2
             bar 0.1_rc2-r3 | D:foo~1.2 !baz
             baz 1-r0
             meta 1-r0 | D:foo busybox
             wolfi-baselayout 20230201-r29 | p:merged-sbin merged-bin merged-lib
             busybox 1.38.0-r1
             needs 1-r0 | D:so:libmissing.so.1
             above 1-r0 | D:needs
             nodejs-24 24.19.0-r0 | p:nodejs=24.19.0-r0
             nodejs-26 26.7.0-r0 | p:nodejs=26.7.0-r0
             npm 11.18.0-r0
             npm-12 12.0.2-r2 | D:node-gyp | p:npm=12.0.2-r2
             node-gyp 13-r0 | D:nodejs",
        )
    }

    #[test]
    fn a_request_selects_what_apk_selects() {
        let cases = [
            ("foo=1.2.3-r0", "foo-1.2.3-r0"),
            ("foo~1.2.3", "foo-1.2.3-r0"),
            ("foo<1.2.4", "foo-1.2.3-r0"),
            ("cmd:foo=1.2.3-r0", "foo-1.2.3-r0"),
            ("foo", "foo-1.2.4-r0"),
            ("foo~=1.2", "foo-1.2.4-r0"),
            ("foo-api", "foo-1.2.4-r0"),
            ("cmd:foo", "foo-1.2.4-r0"),
            ("foo><Q14rMw23N1pjIQ+K64F3WtmO8K5VY=", "foo-1.2.3-r0"),
            ("bar", "foo-1.2.4-r0 bar-0.1_rc2-r3"),
            ("bar foo=1.2.3-r0", "foo-1.2.3-r0 bar-0.1_rc2-r3"),
            ("nodejs", "nodejs-26-26.7.0-r0"),
            ("npm", "nodejs-26-26.7.0-r0 node-gyp-13-r0 npm-12-12.0.2-r2"),
            (
                "nodejs-24 npm",
                "nodejs-24-24.19.0-r0 node-gyp-13-r0 npm-12-12.0.2-r2",
            ),
            ("nodejs-24 npm<12", "nodejs-24-24.19.0-r0 npm-11.18.0-r0"),
            (
                "wolfi-baselayout merged-bin",
                "wolfi-baselayout-20230201-r29",
            ),
            ("foo !baz", "foo-1.2.4-r0"),
            ("!baz", ""),
            ("", ""),
        ];
        let index = lab();
        for (request, expected) in cases {
            assert_eq!(solve(&index, request), expected, "{request}");
        }
    }

    #[test]
    fn a_request_is_refused_where_apk_refuses_it() {
        let cases = [
            (
                "nodejs-22",
                "error: no package has or provides `nodejs-22`, asked for by the request (`nodejs-22`)",
            ),
            (
                "foo=9.9.9-r0",
                "error: no version satisfies `foo=9.9.9-r0`, asked for by the request (`foo=9.9.9-r0`); there are 1.2.4-r0, 1.2.3-r0",
            ),
            (
                "foo=1.2.3",
                "error: no version satisfies `foo=1.2.3`, asked for by the request (`foo=1.2.3`); there are 1.2.4-r0, 1.2.3-r0",
            ),
            (
                "bar baz",
                "error: `bar-0.1_rc2-r3` (`!baz`) excludes `baz-1-r0`, asked for by the request (`baz`)",
            ),
            (
                "nodejs-24 nodejs-26",
                "error: only one package may provide `nodejs`:\n  `nodejs-24-24.19.0-r0`, asked for by the request (`nodejs-24`)\n  `nodejs-26-26.7.0-r0`, asked for by the request (`nodejs-26`)",
            ),
            (
                "above",
                "error: no package has or provides `so:libmissing.so.1`, asked for by `needs-1-r0` (`so:libmissing.so.1`)",
            ),
            (
                "merged-bin",
                "error: `merged-bin` is only provided by `wolfi-baselayout`, of which none is chosen by itself, asked for by the request (`merged-bin`)",
            ),
            (
                "foo><Q1AAAAAAAAAAAAAAAAAAAAAAAAAAE=",
                "error: no version satisfies `foo><Q1AAAAAAAAAAAAAAAAAAAAAAAAAAE=`, asked for by the request (`foo><Q1AAAAAAAAAAAAAAAAAAAAAAAAAAE=`); there are 1.2.4-r0, 1.2.3-r0",
            ),
            (
                "foo !foo",
                "error: the request (`!foo`) excludes `foo-1.2.4-r0`, asked for by the request (`foo`)",
            ),
            (
                "foo=1.2.3-r0 foo>1.2.3-r0",
                "error: no version of `foo` fits everything, asked for by the request (`foo=1.2.3-r0`), the request (`foo>1.2.3-r0`)\n  `foo-1.2.4-r0` breaks the request (`foo=1.2.3-r0`)\n  `foo-1.2.3-r0` breaks the request (`foo>1.2.3-r0`)",
            ),
        ];
        let index = lab();
        for (request, expected) in cases {
            assert_eq!(solve(&index, request), expected, "{request}");
        }
    }

    #[test]
    fn every_missing_name_is_named_at_once() {
        let error = resolve(&lab(), &world("nodejs24 busy-box above nope>1")).unwrap_err();
        let missing: Vec<(&str, Vec<&str>)> = error
            .problems
            .iter()
            .map(|problem| match problem {
                Problem::Missing {
                    name, suggestions, ..
                } => (
                    name.as_str(),
                    suggestions.iter().map(String::as_str).collect(),
                ),
                other => panic!("{other}"),
            })
            .collect();
        assert_eq!(
            missing,
            [
                ("busy-box", vec!["busybox"]),
                ("nodejs24", vec!["nodejs-24", "nodejs", "nodejs-26"]),
                ("nope", vec![]),
                ("so:libmissing.so.1", vec![]),
            ]
        );
    }

    #[test]
    fn a_demand_tells_the_way_from_the_request() {
        let error = resolve(&lab(), &world("above")).unwrap_err();
        let [Problem::Missing { demands, .. }] = error.problems.as_slice() else {
            panic!("{error}");
        };
        assert_eq!(demands[0].path, ["above-1-r0", "needs-1-r0"]);
    }

    #[test]
    fn constraints_of_the_whole_request_combine() {
        let index = tiny(
            "rt-1 1.5-r0 | p:rt=1.5-r0
             rt-2 2.5-r0 | p:rt=2.5-r0
             user 1 | D:rt
             user1 1 | D:rt<2",
        );
        assert_eq!(solve(&index, "user"), "rt-2-2.5-r0 user-1");
        assert_eq!(solve(&index, "user user1"), "rt-1-1.5-r0 user-1 user1-1");
        assert_eq!(solve(&index, "rt-1 user"), "rt-1-1.5-r0 user-1");
    }

    #[test]
    fn a_provider_of_priority_beats_an_empty_real_package() {
        let index = tiny(
            "py3-pip 26-r0
             py3.12-pip 26-r0 | p:py3-pip | k:312
             py3.13-pip 26-r0 | p:py3-pip | k:313",
        );
        assert_eq!(solve(&index, "py3-pip"), "py3.13-pip-26-r0");
        assert_eq!(solve(&index, "py3.12-pip"), "py3.12-pip-26-r0");
    }

    #[test]
    fn unversioned_providers_coexist() {
        let index = tiny("a 1 | p:editor\nb 1 | p:editor\nc 1 | D:editor");
        assert_eq!(solve(&index, "a b c"), "a-1 b-1 c-1");
        assert!(solve(&index, "c").contains("of which none is chosen by itself"));
    }

    #[test]
    fn a_negative_priority_chooses_nothing_by_itself() {
        let index = tiny("a 1 | p:editor | k:-1");
        assert!(solve(&index, "editor").contains("of which none is chosen by itself"));
    }

    #[test]
    fn a_generic_companion_pulls_in_the_default_stream() {
        let index = tiny(
            "php-8.4 8.4.24-r1 | p:php=8.4.24-r1
             php-8.5 8.5.9-r0 | p:php=8.5.9-r0
             php-8.4-phar 8.4.24-r1 | p:php-phar=8.4.24-r1
             php-8.5-phar 8.5.9-r0 | p:php-phar=8.5.9-r0
             composer 2 | D:php php-phar",
        );
        let expected = "php-8.4-8.4.24-r1 php-8.5-phar-8.5.9-r0 composer-2";
        assert_eq!(solve(&index, "php-8.4 composer"), expected);
        let expected = "php-8.4-8.4.24-r1 php-8.4-phar-8.4.24-r1 composer-2";
        assert_eq!(solve(&index, "php-8.4 php-8.4-phar composer"), expected);
    }

    #[test]
    fn the_merge_package_comes_first_although_it_needs_another() {
        let index = tiny(
            "wolfi-baselayout 1 | D:ca-certificates-bundle
             ca-certificates-bundle 1 | D:wolfi-baselayout
             aaa 1 | D:zzz
             zzz 1",
        );
        let expected = "wolfi-baselayout-1 zzz-1 aaa-1 ca-certificates-bundle-1";
        assert_eq!(solve(&index, "aaa wolfi-baselayout"), expected);
    }

    #[test]
    fn a_cycle_of_dependencies_is_installed_once() {
        let index = tiny("a 1 | D:b\nb 1 | D:c\nc 1 | D:a");
        assert_eq!(solve(&index, "b"), "c-1 b-1 a-1");
    }

    #[test]
    fn the_order_of_the_request_does_not_matter() {
        let index = lab();
        let expected = solve(&index, "npm nodejs-24 bar foo<1.2.4 meta");
        assert_eq!(
            solve(&index, "meta foo<1.2.4 bar nodejs-24 npm npm"),
            expected
        );
    }

    #[test]
    fn every_package_says_why_it_is_there() {
        let index = lab();
        let closure = resolve(&index, &world("npm busybox")).unwrap();
        let reasons: Vec<String> = closure
            .members()
            .iter()
            .map(|member| match &member.reason {
                Reason::Requested(atom) => format!("{}: {atom}", member.package.name),
                Reason::Needed { by, through } => {
                    format!("{}: {by} needs {through}", member.package.name)
                }
            })
            .collect();
        assert_eq!(
            reasons,
            [
                "busybox: busybox",
                "nodejs-26: node-gyp needs nodejs",
                "node-gyp: npm-12 needs node-gyp",
                "npm-12: npm",
            ]
        );
        let path: Vec<&str> = closure
            .path("nodejs-26")
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(path, ["npm-12", "node-gyp", "nodejs-26"]);
    }

    #[test]
    fn an_older_version_serves_where_the_newest_does_not() {
        let index = tiny("lib 1\nlib 2\napp 1 | D:lib<2\nother 1 | D:lib");
        assert_eq!(solve(&index, "app other"), "lib-1 app-1 other-1");
    }

    #[test]
    fn a_dependency_with_an_invalid_version_needs_that_text() {
        let index = tiny("lib v1.2-r0\nlib 3-r0\napp 1 | D:lib=v1.2-r0");
        assert_eq!(solve(&index, "app"), "lib-v1.2-r0 app-1");
    }

    #[test]
    fn a_chain_as_long_as_an_index_is_no_problem() {
        let lines: String = (0..4_000)
            .map(|number| format!("p{number} 1 | D:p{}\n", number + 1))
            .chain(["p4000 1".to_owned()])
            .collect();
        let index = tiny(&lines);
        let closure = resolve(&index, &world("p0")).unwrap();
        assert_eq!(closure.members().len(), 4_001);
        assert_eq!(closure.members()[0].package.name, "p4000");
    }

    #[test]
    fn whatever_is_chosen_satisfies_every_demand() {
        let mut dice = Dice(3);
        let mut solved = 0;
        for _ in 0..400 {
            let mut lines = String::new();
            for _ in 0..24 {
                let (name, version) = (dice.roll(8), dice.roll(3) + 1);
                lines.push_str(&format!("n{name} {version}"));
                for _ in 0..dice.roll(3) {
                    let operator = ["", "", "<2", ">1", "=2", "~1"][dice.roll(6)];
                    let not = ["", "", "", "!"][dice.roll(4)];
                    lines.push_str(&format!(" | D:{not}n{}{operator}", dice.roll(8)));
                }
                if dice.roll(3) == 0 {
                    lines.push_str(&format!(" | p:v{}=1 w{}", dice.roll(3), dice.roll(3)));
                }
                lines.push('\n');
            }
            let index = tiny(&lines);
            let request = format!("n{} n{} v{}", dice.roll(8), dice.roll(8), dice.roll(3));
            let Ok(closure) = resolve(&index, &world(&request)) else {
                continue;
            };
            solved += 1;
            let own = closure.packages().flat_map(|package| &package.depends);
            for atom in own.cloned().chain(world(&request)) {
                let is_met = closure.packages().any(|package| {
                    let names = package.provides.iter().map(|provide| &provide.name);
                    let mut names = names.chain([&package.name]);
                    names.any(|name| *name == atom.name)
                        && atom.matches(package.version_as(&atom.name), &package.identity)
                });
                let is_own = atom.conflict; // a package may exclude what it provides itself
                assert!(is_met || is_own, "{atom} in {request}:\n{lines}");
            }
        }
        assert!(solved > 20, "only {solved} requests had an answer");
    }
}
