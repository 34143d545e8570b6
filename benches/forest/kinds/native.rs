//! Apps in C and C++.

use super::{Kind, kind};
use crate::forest::sources::{C, CPP};

pub(super) const APPS: &[Kind] = &[
    kind(
        "c",
        "make",
        C,
        r#"
-- Makefile --
# The server.
CFLAGS ?= -O2 -Wall
BIN := build/@name@

.PHONY: all clean

all: $(BIN)

$(BIN): main.c
	@mkdir -p build
	$(CC) $(CFLAGS) -o $@ $^

clean:
	rm -rf build
-- main.c --
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons(8080);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    bind(server, (struct sockaddr *)&address, sizeof address);
    listen(server, 16);
    for (;;) {
        close(accept(server, NULL, NULL));
    }
}
"#,
    ),
    kind(
        "c",
        "cmake",
        C,
        r#"
-- CMakeLists.txt --
cmake_minimum_required(VERSION 3.16)
project(@name_@ C)

# add_executable(old old.c)
add_executable(@name@-server main.c)
install(TARGETS @name@-server)
-- main.c --
#include <stdio.h>

int main(void) {
    puts("@name@");
    return 0;
}
"#,
    ),
    kind(
        "c++",
        "cmake",
        CPP,
        r#"
-- CMakeLists.txt --
cmake_minimum_required(VERSION 3.20)
project(@Name@ VERSION 2.0 LANGUAGES CXX)

add_subdirectory(shelf)
add_executable(${PROJECT_NAME} main.cpp)
target_link_libraries(${PROJECT_NAME} PRIVATE shelf)
if(BUILD_TESTING)
  add_executable(${PROJECT_NAME}_unit tests/unit.cpp)
endif()
-- shelf/CMakeLists.txt --
add_library(shelf STATIC shelf.cpp)
-- shelf/shelf.cpp --
int shelf() { return 7; }
-- main.cpp --
#include <iostream>

int shelf();

int main() { std::cout << shelf() << std::endl; }
-- tests/unit.cpp --
int main() { return 0; }
"#,
    ),
    kind(
        "c",
        "meson",
        C,
        r#"
-- meson.build --
project('@name@', 'c', version: '1.0', default_options: ['c_std=c17'])

# executable('old', 'old.c')
subdir('daemon')
-- daemon/meson.build --
executable('@name@d', ['main.c'], install: true)
-- daemon/main.c --
int main(void) { return 0; }
"#,
    ),
    kind(
        "c",
        "autotools",
        C,
        r#"
-- configure.ac --
AC_INIT([@name@], [1.2])
AM_INIT_AUTOMAKE([foreign subdir-objects])
AC_PROG_CC
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
-- Makefile.am --
bin_PROGRAMS = tally
tally_SOURCES = main.c
-- main.c --
#include <stdio.h>

int main(int argc, char **argv) {
    printf("%d %s\n", argc, argv[0]);
    return 0;
}
"#,
    ),
];
