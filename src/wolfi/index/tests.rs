//! Indexes and their questions.

use super::super::testing::{Dice, tiny};
use super::*;

fn names<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<String> {
    packages
        .map(|package| format!("{}-{}", package.name, package.version))
        .collect()
}

#[test]
fn a_record_is_read_field_by_field() {
    let index = Index::parse(
        b"C:Q14rMw23N1pjIQ+K64F3WtmO8K5VY=\nP:libfoo\nV:1.2-r3\nA:x86_64\nS:1024\nI:4096\nT:The foo\n\
          U:https://foo.example\nL:MIT AND ISC\no:foo\nm:wolfi\nt:1782986139\nc:08d34e86\nD:glibc>=2.43 !musl\n\
          Z:unknown\np:so:libfoo.so.1=1 cmd:foo\nk:-1\n",
        "test",
    );
    let package = index.newest("libfoo").unwrap();
    assert_eq!(
        package.identity.to_string(),
        "Q14rMw23N1pjIQ+K64F3WtmO8K5VY="
    );
    assert_eq!(package.file_name(), "libfoo-1.2-r3.apk");
    assert_eq!((package.size, package.installed_size), (1024, 4096));
    assert_eq!(package.description, "The foo");
    assert_eq!(package.license, "MIT AND ISC");
    assert_eq!(
        (package.origin.as_str(), package.maintainer.as_str()),
        ("foo", "wolfi")
    );
    assert_eq!(
        (package.build_time, package.provider_priority),
        (1_782_986_139, -1)
    );
    let depends: Vec<String> = package.depends.iter().map(Atom::to_string).collect();
    assert_eq!(depends, ["glibc>=2.43", "!musl"]);
    assert_eq!(
        package.version_as("so:libfoo.so.1"),
        Some(&Version::new("1"))
    );
    assert_eq!(package.version_as("cmd:foo"), None);
    assert_eq!(index.newest_build(), 1_782_986_139);
}

#[test]
fn versions_of_a_name_come_newest_first_and_invalid_ones_last() {
    let index = tiny("foo 1.9-r0\nfoo v2.0-r0\nfoo 1.10-r0\nfoobar 3\nfoo 1.10_rc1-r0");
    let found = names(index.packages("foo"));
    assert_eq!(
        found,
        [
            "foo-1.10-r0",
            "foo-1.10_rc1-r0",
            "foo-1.9-r0",
            "foo-v2.0-r0"
        ]
    );
}

#[test]
fn a_bad_record_costs_only_itself() {
    let text =
        "P:a\nV:1\n\nP:../x\nV:1\n\nV:1\n\nP:b\n\nP:c/d\nV:1\n\nP:e\u{7}\nV:1\n\n\n\nP:z\nV:1\n";
    let index = Index::parse(text.as_bytes(), "test");
    assert_eq!(index.names().collect::<Vec<_>>(), ["a", "z"]);
    assert_eq!(index.skipped(), 5);
}

#[test]
fn providers_have_the_name_or_provide_it() {
    let index = tiny(
        "php-8.4 8.4.1 | p:php=8.4.1\nphp 5.0\nphp-doc 1 | D:php\nphp-8.5 8.5.0 | p:php=8.5.0",
    );
    let found = names(index.providers("php"));
    assert_eq!(found, ["php-8.4-8.4.1", "php-5.0", "php-8.5-8.5.0"]);
}

#[test]
fn a_provided_name_is_checked_like_a_real_one() {
    let index = tiny(
        "nodejs-24 24.19.0-r0 | p:nodejs=24.19.0-r0\nnodejs-26 26.7.0-r0 | p:nodejs=26.7.0-r0\n\
         base 1 | p:merged-bin",
    );
    let name = |atom| index.check(atom).map(|package| package.name.as_str());
    assert_eq!(name("nodejs"), Ok("nodejs-26"));
    assert_eq!(name("nodejs<26"), Ok("nodejs-24"));
    assert_eq!(name("nodejs-24~24.19"), Ok("nodejs-24"));
    let available = vec![Version::new("26.7.0-r0"), Version::new("24.19.0-r0")];
    let expected = UnknownPackage::Version {
        name: "nodejs".to_owned(),
        atom: "nodejs>27".to_owned(),
        available,
    };
    assert_eq!(name("nodejs>27"), Err(expected));
    let expected = UnknownPackage::Virtual {
        name: "merged-bin".to_owned(),
        providers: vec!["base".to_owned()],
    };
    assert_eq!(name("merged-bin"), Err(expected));
}

#[test]
fn an_unknown_name_comes_with_near_ones() {
    let index = tiny(
        "nodejs-24 24 | p:nodejs=24\nnodejs-26 26 | p:nodejs=26\nnodejs-20 20 | p:nodejs=20\nnginx-mainline 1 | p:nginx=1\n\
         libpq-18 18 | p:so:libpq.so.5=5\nredis-cli 1",
    );
    let near = |name| match index.check(name) {
        Err(UnknownPackage::Missing { suggestions, .. }) => suggestions,
        other => panic!("{other:?}"),
    };
    assert_eq!(near("nodejs20")[0], "nodejs-20");
    assert_eq!(
        near("nodejs-99"),
        ["nodejs", "nodejs-20", "nodejs-24", "nodejs-26"]
    );
    assert_eq!(near("ngnix"), ["nginx"]);
    assert_eq!(near("libpq18")[0], "libpq-18");
    assert_eq!(near("quite-other"), Vec::<String>::new());
}

#[test]
fn a_search_finds_words_in_names_first() {
    let index = tiny(
        "libpq-18 18 | T:client library\npostgresql-18 18 | T:the server\nother 1 | T:PostgreSQL tools",
    );
    let found = names(index.search(&["postgresql"]).into_iter());
    assert_eq!(found, ["postgresql-18-18", "other-1"]);
    let found = names(index.search(&["CLIENT", "library"]).into_iter());
    assert_eq!(found, ["libpq-18-18"]);
}

#[test]
fn names_with_a_prefix_are_the_real_ones() {
    let index = tiny("go-1.26 1.26 | p:go=1.26\ngo-1.27 1.27\ngo-bindata 1\ngoa 1\ngit 2");
    let found: Vec<&str> = index.names_with_prefix("go-").collect();
    assert_eq!(found, ["go-1.26", "go-1.27", "go-bindata"]);
}

#[test]
fn an_unreadable_dependency_makes_a_package_uninstallable() {
    let index = tiny("foo 2 | D:bar?1\nfoo 1");
    assert_eq!(index.newest("foo").unwrap().unreadable.as_deref(), None);
    let index = tiny("foo 2 | D:bar=\nfoo 1");
    assert!(!index.newest("foo").unwrap().is_installable());
    assert_eq!(index.check("foo").unwrap().version.as_str(), "1");
}

#[test]
fn a_version_that_is_no_file_name_is_never_chosen() {
    let index = tiny("foo 2/../../x\nfoo 1-r0");
    assert_eq!(index.check("foo").unwrap().file_name(), "foo-1-r0.apk");
}

#[test]
fn the_tables_bring_the_index_back() {
    let index = tiny("foo 2 | p:cmd:foo=2 bar | t:99\nfoo 1\nbaz 1 | D:foo");
    let tables: Vec<u32> = index.tables().collect();
    let text = index.text().to_owned();
    let parts = Parts::read(tables.into_iter()).unwrap();
    let back = Index::from_parts(text, "test", index.digest(), parts).unwrap();
    assert_eq!(names(back.packages("foo")), names(index.packages("foo")));
    assert_eq!(names(back.providers("bar")), ["foo-2"]);
    assert_eq!(back.newest_build(), 99);
}

#[test]
fn altered_tables_never_lead_out_of_the_text() {
    let index = tiny("foo 2 | p:cmd:foo=2 bar\nfoo 1\nbaz 1 | D:foo");
    let tables: Vec<u32> = index.tables().collect();
    let mut dice = Dice(1);
    for _ in 0..2000 {
        let mut tables = tables.clone();
        let at = dice.roll(tables.len());
        tables[at] = [0, 1, 7, u32::MAX, u32::MAX / 2][dice.roll(5)];
        tables.truncate(tables.len() - dice.roll(2));
        let text = index.text().to_owned();
        let parts = Parts::read(tables.into_iter());
        let read = |parts| Index::from_parts(text, "test", index.digest(), parts);
        if let Some(index) = parts.and_then(read) {
            let _ = index.check("foo"); // any answer will do, a panic will not
            let _ = index.check("bar");
        }
    }
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let text = "C:Q1AA\nP:foo\nV:1.0-r0\nD:a=1 !b c~2\np:x=1 y\nk:9\n\nP:é\nV:ü\n\n";
    let mut dice = Dice(7);
    for _ in 0..5000 {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..dice.roll(4) {
            let at = dice.roll(bytes.len());
            bytes[at] = dice.roll(256) as u8;
        }
        bytes.truncate(dice.roll(bytes.len() + 1));
        let index = Index::parse(&bytes, "test");
        let found: Vec<String> = index.names().map(str::to_owned).collect();
        for name in found {
            let _ = index.check(&name); // any answer will do, a panic will not
        }
    }
}
