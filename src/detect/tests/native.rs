use super::{command, copies, found};
use crate::spec::Kind;

const SERVER: &str = "int main(void) { int s = socket(AF_INET, SOCK_STREAM, 0); a.sin_port = htons(7070); listen(s, 1); }\n";

#[test]
fn an_executable_of_cmake_is_an_app_named_after_its_target() {
    let found = found(&[
        (
            "CMakeLists.txt",
            "project(Shop C)\nfind_package(ZLIB REQUIRED)\nadd_subdirectory(src)\n",
        ),
        (
            "src/CMakeLists.txt",
            "set(NAME ${PROJECT_NAME}-api)\nadd_executable(${NAME} main.c)\n",
        ),
        ("src/main.c", SERVER),
    ]);
    assert_eq!(found.names(), ["shop-api"]);
    let spec = found.spec("shop-api");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.metadata.language.as_deref(), Some("c"));
    assert_eq!(spec.runtime.ports, [7070]);
    assert_eq!(copies(spec), ["/build/src/Shop-api -> Shop-api"]);
    assert_eq!(command(spec), "/app/Shop-api");
    assert_eq!(
        spec.build.packages,
        ["build-base", "cmake", "samurai", "zlib-dev"]
    );
    assert_eq!(
        spec.build.commands,
        [
            "cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF",
            "cmake --build /build --target Shop-api",
        ]
    );
}

#[test]
fn what_is_installed_is_taken_from_the_installation() {
    let found = found(&[
        (
            "CMakeLists.txt",
            "project(p CXX)\nadd_library(core SHARED core.cpp)\nadd_executable(run main.cpp)\nset_target_properties(run PROPERTIES OUTPUT_NAME runner)\ninstall(TARGETS run core RUNTIME DESTINATION sbin LIBRARY DESTINATION lib)\ninstall(DIRECTORY data DESTINATION share/p)\ninstall(FILES core.h DESTINATION include)\n",
        ),
        ("main.cpp", "int main(int argc, char **argv) {}"),
    ]);
    let spec = found.spec("run");
    assert_eq!(spec.metadata.kind, Some(Kind::Cli));
    assert_eq!(
        copies(spec),
        [
            "/out/app/sbin/runner -> sbin/runner",
            "/out/app/lib -> lib",
            "/out/app/share/p -> share/p",
        ]
    );
    assert!(spec.runtime.packages.contains(&"libstdc++".to_owned()));
}

#[test]
fn tests_examples_libraries_and_addons_are_no_apps() {
    let found = found(&[
        (
            "a/CMakeLists.txt",
            "project(a C)\nadd_executable(a_test t.c)\nadd_executable(check c.c)\nadd_test(NAME check COMMAND check)\n",
        ),
        ("b/CMakeLists.txt", "project(b C)\nadd_library(b b.c)\n"),
        ("c/CMakeLists.txt", "project(c C)\nadd_executable(c c.c)\n"),
        ("c/binding.gyp", "{}"),
        (
            "examples/d/CMakeLists.txt",
            "project(d C)\nadd_executable(d d.c)\n",
        ),
        ("e/CMakeLists.txt", "# project(e)\nadd_executable(e e.c)\n"),
        (
            "f/CMakeLists.txt",
            "project(f C)\nif(WIN32)\n add_executable(f f.c)\nelseif(BUILD_EXAMPLES)\n add_executable(g g.c)\nendif()\nfunction(add name)\n add_executable(${name} x.c)\nendfunction()\n",
        ),
    ]);
    assert!(found.names().is_empty(), "{:?}", found.names());
    assert_eq!(
        found.reason("a"),
        "of its executables none is an app: `a_test` is a test"
    );
    assert_eq!(found.reason("b"), "`b` builds libraries only");
    assert_eq!(
        found.reason("c"),
        "`binding.gyp` makes it a native addon of Node.js"
    );
    assert_eq!(
        found.reason("e"),
        "`CMakeLists.txt` has no `project()`: it is a part of a build"
    );
}

#[test]
fn a_library_that_is_not_packaged_is_refused() {
    let found = found(&[
        (
            "CMakeLists.txt",
            "project(p C)\nfind_package(Nowhere REQUIRED)\nfind_package(Elsewhere)\nadd_executable(p p.c)\n",
        ),
        ("p.c", SERVER),
    ]);
    assert!(found.names().is_empty());
    let refused = &found.refused[0];
    assert_eq!(
        refused.reason,
        "needs `Nowhere`, for which the index has no package"
    );
    assert_eq!(refused.line, Some(2));
    assert_eq!(refused.spec.runtime.ports, [7070]);
}

#[test]
fn the_default_target_of_a_makefile_says_what_is_built() {
    let found = found(&[
        (
            "one/Makefile",
            "CC=gcc\nBIN = bin/one\nall: $(BIN) plugin.so\n$(BIN): main.o \\\n  util.o\n\t@mkdir -p bin\n\t$(CC) -o $@ $^ -lssl -lm\nplugin.so: p.o\n\t$(CC) -shared -o $@ $^\ntool: t.o\n\t$(CC) -o tool t.o\n",
        ),
        ("one/main.c", SERVER),
        ("two/Makefile", "two: two.o\n"),
        ("two/two.c", "int main(void) {}"),
        ("three/Makefile", "all:\n\tdocker build .\n"),
        ("three/x.c", ""),
        ("four/Makefile", "all:\n\tsphinx-build . out\n"),
        ("five/Makefile", "all: x\nx: x.c\n\t$(CC) -o x x.c\n"),
        ("five/x.c", ""),
        ("five/setup.py", ""),
    ]);
    assert_eq!(found.names(), ["one", "two"]);
    let one = found.spec("one");
    assert_eq!(copies(one), ["bin/one -> one"]);
    assert_eq!(one.build.packages, ["build-base", "openssl-dev"]);
    assert_eq!(one.build.commands, ["make"]);
    assert_eq!(one.runtime.ports, [7070]);
    assert_eq!(
        found.reason("three"),
        "its default target `all` only calls `docker`"
    );
    let foreign = "its Makefile serves the project of `setup.py`";
    assert!(found.rejected.iter().any(|r| r.reason == foreign));
}

#[test]
fn names_that_stand_for_ports_are_followed() {
    let port = |source: &str| {
        let found = found(&[("Makefile", "a: a.o\n"), ("a.c", source)]);
        found.spec("a").runtime.ports.clone()
    };
    assert_eq!(
        port("#define P 81\nint main() { listen(s, 1); htons(P); }"),
        [81]
    );
    assert_eq!(
        port("static const int p = 82;\nint main() { listen(s, 1); htons(p); }"),
        [82]
    );
    assert_eq!(
        port(
            "int main() { char *v = getenv(\"PORT\"); int p = v ? atoi(v) : 83; listen(s, 1); htons(p); }"
        ),
        [83]
    );
    assert_eq!(
        port("int main() { int p = atoi(getenv(\"PORT\")); listen(s, 1); htons(p); }"),
        [8080]
    );
    assert!(port("// htons(84)\nint main() { listen(s, 1); }").is_empty());
    assert!(port("int main() { htons(85); }").is_empty());
}

#[test]
fn an_executable_of_meson_is_found_in_its_subdirectory() {
    let found = found(&[
        (
            "meson.build",
            "project('p', 'cpp')\nexecutable(meson.project_name(), 'p.cpp')\nsubdir('src')\nsubdir('tests')\n",
        ),
        (
            "src/meson.build",
            "executable('served', 's.cpp',\n  dependencies: dependency('zlib'), install: true)\nt = executable('t', 't.cpp')\ntest('t', t)\n",
        ),
        ("tests/meson.build", "executable('u', 'u.cpp')\n"),
    ]);
    assert_eq!(found.names(), ["p", "served"]);
    assert_eq!(copies(found.spec("p")), ["/build/p -> p"]);
    assert_eq!(
        copies(found.spec("served")),
        ["/out/app/bin/served -> bin/served"]
    );
}

#[test]
fn an_installed_program_of_automake_is_an_app() {
    let found = found(&[
        ("configure.ac", "AC_INIT([p], [1])\nLT_INIT\n"),
        (
            "src/Makefile.am",
            "bin_PROGRAMS = served\ncheck_PROGRAMS = c\n",
        ),
        ("bare/configure.ac", "AC_INIT([bare], [1])\n"),
    ]);
    assert_eq!(found.names(), ["served"]);
    let spec = found.spec("served");
    assert_eq!(
        spec.build.commands,
        [
            "autoreconf --install",
            "./configure --prefix=/app",
            "make",
            "make install DESTDIR=/out"
        ]
    );
    assert_eq!(
        spec.build.packages,
        ["autoconf", "automake", "build-base", "libtool"]
    );
    assert_eq!(
        found.refused[0].reason,
        "has no `Makefile.am` that says which program it builds"
    );
}
