//! Apps for the Java virtual machine.

use super::{Kind, kind};
use crate::forest::sources::{CLOJURE, JAVA, KOTLIN, SCALA};

pub(super) const APPS: &[Kind] = &[
    kind(
        "java",
        "maven",
        JAVA,
        r#"
-- pom.xml --
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.5.6</version>
    <relativePath/>
  </parent>
  <groupId>example</groupId>
  <artifactId>@name@</artifactId>
  <version>1.0.0</version>
  <properties>
    <java.version>21</java.version>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-web</artifactId>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
      </plugin>
    </plugins>
  </build>
</project>
-- src/main/java/example/Main.java --
package example;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

@SpringBootApplication
public class Main {
    public static void main(String[] arguments) {
        SpringApplication.run(Main.class, arguments);
    }
}
"#,
    ),
    kind(
        "java",
        "gradle",
        JAVA,
        r#"
-- settings.gradle --
rootProject.name = '@name@'
-- build.gradle --
plugins {
    id 'application'
}

application {
    mainClass = 'example.Main'
}
-- src/main/java/example/Main.java --
package example;

public class Main {
    public static void main(String[] arguments) {
    }
}
"#,
    ),
    kind(
        "kotlin",
        "gradle",
        KOTLIN,
        r#"
-- settings.gradle.kts --
rootProject.name = "@name@"
-- build.gradle.kts --
plugins {
    kotlin("jvm") version "2.2.20"
    application
}

kotlin {
    jvmToolchain(21)
}

application {
    mainClass.set("example.MainKt")
}
-- src/main/kotlin/example/Main.kt --
package example

fun main() {
    println("@name@")
}
"#,
    ),
    kind(
        "scala",
        "sbt",
        SCALA,
        r#"
-- build.sbt --
ThisBuild / scalaVersion := "3.3.6"

lazy val root = (project in file("."))
  .enablePlugins(JavaAppPackaging)
  .settings(
    name := "@name@",
    Compile / mainClass := Some("example.Main")
  )
-- project/build.properties --
sbt.version=1.11.4
-- project/plugins.sbt --
addSbtPlugin("com.github.sbt" % "sbt-native-packager" % "1.11.1")
-- src/main/scala/example/Main.scala --
package example

object Main extends App {
  println("@name@")
}
"#,
    ),
    kind(
        "clojure",
        "leiningen",
        CLOJURE,
        r#"
-- project.clj --
(defproject example/@name@ "0.1.0"
  :dependencies [[org.clojure/clojure "1.12.0"]]
  :main ^:skip-aot @name@.core
  :uberjar-name "@name@.jar"
  :profiles {:uberjar {:aot :all}})
-- src/@name_@/core.clj --
(ns @name@.core
  (:gen-class))

(defn -main [& _]
  (println "@name@"))
"#,
    ),
    kind(
        "clojure",
        "tools.build",
        CLOJURE,
        r#"
-- deps.edn --
{:paths ["src"]
 :deps {org.clojure/clojure {:mvn/version "1.12.0"}}
 :aliases {:build {:deps {io.github.clojure/tools.build {:git/tag "v0.10.5" :git/sha "2a21b7a"}}
                   :ns-default build}}}
-- build.clj --
(ns build
  (:require [clojure.tools.build.api :as b]))

(def basis (delay (b/create-basis {:project "deps.edn"})))

(defn uber [_]
  (b/copy-dir {:src-dirs ["src"] :target-dir "target/classes"})
  (b/compile-clj {:basis @basis :ns-compile '[@name@.core] :class-dir "target/classes"})
  (b/uber {:class-dir "target/classes"
           :uber-file "target/app.jar"
           :basis @basis
           :main '@name@.core}))
-- src/@name_@/core.clj --
(ns @name@.core
  (:gen-class))

(defn -main [& _]
  (println "@name@"))
"#,
    ),
    kind(
        "kotlin",
        "maven",
        KOTLIN,
        r#"
-- pom.xml --
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>@name@</artifactId>
  <version>1.0.0</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <quarkus.platform.version>3.28.0</quarkus.platform.version>
  </properties>
  <dependencies>
    <dependency>
      <groupId>io.quarkus</groupId>
      <artifactId>quarkus-rest</artifactId>
      <version>${quarkus.platform.version}</version>
    </dependency>
    <dependency>
      <groupId>org.jetbrains.kotlin</groupId>
      <artifactId>kotlin-stdlib</artifactId>
      <version>2.2.20</version>
    </dependency>
  </dependencies>
  <build>
    <sourceDirectory>src/main/kotlin</sourceDirectory>
    <plugins>
      <plugin>
        <groupId>org.jetbrains.kotlin</groupId>
        <artifactId>kotlin-maven-plugin</artifactId>
        <version>2.2.20</version>
      </plugin>
      <plugin>
        <groupId>io.quarkus</groupId>
        <artifactId>quarkus-maven-plugin</artifactId>
        <version>${quarkus.platform.version}</version>
        <executions>
          <execution>
            <goals>
              <goal>build</goal>
            </goals>
          </execution>
        </executions>
      </plugin>
    </plugins>
  </build>
</project>
-- src/main/kotlin/example/Hello.kt --
package example

import jakarta.ws.rs.GET
import jakarta.ws.rs.Path

@Path("/")
class Hello {
    @GET
    fun hello() = "@name@"
}
"#,
    ),
    kind(
        "java",
        "gradle",
        JAVA,
        r#"
-- settings.gradle.kts --
rootProject.name = "@name@"
-- build.gradle.kts --
plugins {
    java
    id("org.springframework.boot") version "3.5.6"
}

java {
    toolchain {
        languageVersion = JavaLanguageVersion.of(21)
    }
}

dependencies {
    implementation("org.springframework.boot:spring-boot-starter-web:3.5.6")
}
-- src/main/java/example/Main.java --
package example;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

@SpringBootApplication
public class Main {
    public static void main(String[] arguments) {
        SpringApplication.run(Main.class, arguments);
    }
}
-- src/main/resources/static/index.html --
<!doctype html>
<title>@name@</title>
"#,
    ),
];
