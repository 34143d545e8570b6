//! Summaries, whole, of runs that went well, badly and strangely.

use super::super::{
    Artifact, Buildkit, Config, Image, Layer, Package, PackageIndex, Phase, Run, Steps, Transfer,
};
use super::*;
use crate::oci::{Digest, Platform};

fn app(name: &str, outcome: Outcome) -> App {
    App {
        name: name.to_owned(),
        path: name.to_owned(),
        platform: Some(Platform::linux("amd64")),
        outcome,
        image: None,
        artifacts: Vec::new(),
        packages: Vec::new(),
        libraries: [].into(),
        evidence: Default::default(),
        duration_ms: 0,
        phases: Vec::new(),
        steps: Steps::default(),
        sent: Transfer::default(),
        warnings: Vec::new(),
        error: None,
    }
}

fn web() -> App {
    let layer = |bytes: &[u8], size| Layer {
        digest: Digest::of(bytes),
        size,
    };
    let artifact = |kind, file: &str| Artifact {
        kind,
        file: file.to_owned(),
        sha256: Digest::of(b""),
    };
    let phase = |name: &str, duration_ms| Phase {
        name: name.to_owned(),
        duration_ms,
    };
    App {
        image: Some(Image {
            tags: vec!["ghcr.io/octo/web:1".to_owned()],
            manifest: Digest::of(b"web"),
            index: None,
            size: 43_830_477,
            layers: vec![layer(b"1", 40_000_000), layer(b"2", 3_000_000)],
            pushed: Vec::new(),
            config: Config::default(),
        }),
        artifacts: vec![
            artifact(Kind::Image, "web.oci.tar"),
            artifact(Kind::Sbom, "web.spdx.json"),
        ],
        packages: vec![Package {
            name: "glibc".to_owned(),
            version: "2.41-r3".to_owned(),
        }],
        libraries: [("npm".to_owned(), 234)].into(),
        evidence: Default::default(),
        duration_ms: 62_000,
        phases: vec![phase("packages", 6_300), phase("build", 55_700)],
        steps: Steps {
            cached: 9,
            total: 14,
        },
        warnings: vec!["no health endpoint".to_owned()],
        ..app("web", Outcome::Built)
    }
}

fn api() -> App {
    App {
        duration_ms: 56_500,
        steps: Steps {
            cached: 6,
            total: 11,
        },
        error: Some(Failure {
            step: Some("[build 4/5] cargo build --release".to_owned()),
            command: Some("cargo build --release".to_owned()),
            place: None,
            exit_code: Some(101),
            message: "a build command failed".to_owned(),
            hint: Some("run it by hand".to_owned()),
            log: vec![
                "\u{1b}[31merror[E0425]\u{1b}[0m: cannot find `timeout`".to_owned(),
                "  --> src/server.rs:88".to_owned(),
            ],
        }),
        ..app("api", Outcome::Failed)
    }
}

/// Two apps, of which one failed, and one that was skipped.
pub(in super::super) fn report() -> Report {
    let mut report = Report::new(Run {
        peelbox: "1.0.0".to_owned(),
        started: "2026-11-20T09:00:00Z".to_owned(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        buildkit: Some(Buildkit {
            endpoint: "unix:///run/buildkit/buildkitd.sock".to_owned(),
            version: Some("v0.32.2".to_owned()),
        }),
        index: Some(PackageIndex {
            digest: Digest::of(b"index"),
            age: 3700,
        }),
        ..Run::default()
    });
    report.add(web());
    report.add(api());
    report.add(App {
        platform: Some(Platform::linux("arm64")),
        ..app("worker", Outcome::Skipped)
    });
    report.run.finished = Some("2026-11-20T09:02:00Z".to_owned());
    report.complete = true;
    report
}

/// Every text is an attack.
pub(in super::super) fn hostile() -> Report {
    let bad = "a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}";
    let mut report = report();
    let App {
        image,
        artifacts,
        phases,
        ..
    } = report.apps[0].clone();
    report.run.commit = Some(bad.to_owned());
    report.run.peelbox = bad.to_owned();
    report.warnings = vec![bad.to_owned()];
    report.apps.clear();
    let mut built = app(bad, Outcome::Built);
    built.image = image;
    built.artifacts = artifacts;
    built.artifacts[0].file = bad.to_owned();
    built.phases = phases;
    built.phases[0].name = format!("end: {bad}");
    built.libraries = [(bad.to_owned(), u64::MAX)].into();
    report.add(built);
    let mut failed = app(&bad[1..], Outcome::Failed);
    failed.error = Some(Failure {
        step: Some(bad.to_owned()),
        command: Some(bad.to_owned()),
        place: None,
        exit_code: Some(1),
        message: bad.to_owned(),
        hint: Some(bad.to_owned()),
        log: vec![
            "```".to_owned(),
            "</details><script>".to_owned(),
            bad.to_owned(),
        ],
    });
    report.add(failed);
    report
}

#[expect(clippy::too_many_lines, reason = "the expected text is long")]
#[test]
fn a_run_is_summed_up() {
    insta::assert_snapshot!(summary(&report()), @r#"
    ## peelbox: 1 of 3 images built

    **api** failed in `[build 4/5] cargo build --release` after 56.5 s: `cargo build --release` exited with code 101.

    | App | Result | Image | Size | Layers | Cached | Time | Packages |
    | :-- | :-- | :-- | --: | --: | --: | --: | --: |
    | **web** | :white_check_mark: built | `sha256:4b5e57f6eb2f…` | 41.8 MiB | 2 | 9 of 14 | 1 m 02 s | 235 |
    | **api** | :x: failed |  |  |  | 6 of 11 | 56.5 s |  |
    | **worker** `linux/arm64` | :fast_forward: skipped |  |  |  |  |  |  |
    | **3 apps** | 1 built, 1 failed, 1 skipped | | 41.8 MiB | | 15 of 25 | 1 m 59 s | 235 |

    <details open>
    <summary><strong><code>api</code></strong>: the last 2 log lines</summary>

    `a build command failed`

    Step `[build 4/5] cargo build --release`

    Hint: `run it by hand`

    ```text
    error[E0425]: cannot find `timeout`
      --> src/server.rs:88
    ```

    Run the same build on your machine:

    ```sh
    git fetch origin 0123456789abcdef0123456789abcdef01234567 && git checkout 0123456789abcdef0123456789abcdef01234567
    peelbox ci --app api
    ```

    </details>

    <details>
    <summary>1 warning</summary>

    - **web**: `no health endpoint`

    </details>

    <details>
    <summary>Digests and how to use the images</summary>

    | App | Manifest digest | Tarball | Tags |
    | :-- | :-- | :-- | :-- |
    | **web** | `sha256:4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2` | `web.oci.tar` | `ghcr.io/octo/web:1` |

    ```sh
    skopeo copy oci-archive:<tarball> docker-daemon:<name>:<tag>
    ```

    </details>

    <details>
    <summary>What is inside (SPDX)</summary>

    | App | Wolfi packages | Libraries | SBOM |
    | :-- | --: | --: | :-- |
    | **web** | 1 | 234 `npm` | `web.spdx.json` |

    </details>

    <details>
    <summary>Where the time went</summary>

    ```mermaid
    gantt
      dateFormat x
      axisFormat %M:%S
      section app web
      packages :0, 6300
      build :6300, 62000
    ```

    | App | Phases | Total |
    | :-- | :-- | --: |
    | **web** | `packages` 6.3 s, `build` 55.7 s | 1 m 02 s |

    </details>

    <details>
    <summary>Inputs and environment</summary>

    | | |
    | :-- | :-- |
    | peelbox | `1.0.0` |
    | BuildKit | `v0.32.2`, `unix:///run/buildkit/buildkitd.sock` |
    | Package index | `sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6`, 1 h 01 m old |
    | Commit | `0123456789abcdef0123456789abcdef01234567` |
    | Started | `2026-11-20T09:00:00Z` |
    | Finished | `2026-11-20T09:02:00Z` |

    </details>

    <!-- peelbox-report:v1 -->
    "#);
}

#[expect(clippy::too_many_lines, reason = "the expected text is long")]
#[test]
fn hostile_texts_are_only_text() {
    insta::assert_snapshot!(summary(&hostile()), @r#"
    ## peelbox: 1 of 2 images built

    ````|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` failed in ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` after 0.0 s: ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` exited with code 1.

    | App | Result | Image | Size | Layers | Cached | Time | Packages |
    | :-- | :-- | :-- | --: | --: | --: | --: | --: |
    | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | :white_check_mark: built | `sha256:4b5e57f6eb2f…` | 41.8 MiB | 2 |  | 0.0 s | 18446744073709551615 |
    | ````\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | :x: failed |  |  |  |  | 0.0 s |  |
    | **2 apps** | 1 built, 1 failed | | 41.8 MiB | |  | 0.0 s | 18446744073709551615 |

    <details open>
    <summary><strong><code>|b`&lt;/details&gt;\n::error::x\n# h ```\u{1b}[31m&lt;img src=x onerror=y&gt; @octo #1 https://evil.example :x:\u{202e}</code></strong>: the last 3 log lines</summary>

    ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

    Step ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

    Hint: ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

    ````text
    ```
    </details><script>
    a|b`</details>\n::error::x\n# h ```<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}
    ````

    </details>

    <details>
    <summary>1 warning</summary>

    - ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

    </details>

    <details>
    <summary>Digests and how to use the images</summary>

    | App | Manifest digest | Tarball | Tags |
    | :-- | :-- | :-- | :-- |
    | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | `sha256:4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2` | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | `ghcr.io/octo/web:1` |

    ```sh
    skopeo copy oci-archive:<tarball> docker-daemon:<name>:<tag>
    ```

    </details>

    <details>
    <summary>What is inside (SPDX)</summary>

    | App | Wolfi packages | Libraries | SBOM |
    | :-- | --: | --: | :-- |
    | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | 0 | 18446744073709551615 ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | `web.spdx.json` |

    </details>

    <details>
    <summary>Where the time went</summary>

    ```mermaid
    gantt
      dateFormat x
      axisFormat %M:%S
      section app a-b-details-error-x-h-31m-i
      end-a-b-details-error-x-h :0, 6300
      build :6300, 62000
    ```

    | App | Phases | Total |
    | :-- | :-- | --: |
    | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | ````end: a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` 6.3 s, `build` 55.7 s | 0.0 s |

    </details>

    <details>
    <summary>Inputs and environment</summary>

    | | |
    | :-- | :-- |
    | peelbox | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` |
    | BuildKit | `v0.32.2`, `unix:///run/buildkit/buildkitd.sock` |
    | Package index | `sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6`, 1 h 01 m old |
    | Commit | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` |
    | Started | `2026-11-20T09:00:00Z` |
    | Finished | `2026-11-20T09:02:00Z` |

    </details>

    <!-- peelbox-report:v1 -->
    "#);
}

#[test]
fn it_stays_below_the_limit_whatever_happened() {
    let mut report = Report::new(Run::default());
    let long = "\u{202e}`|".repeat(3000);
    for at in 0..1000 {
        let mut failed = app(&format!("{at}{long}"), Outcome::Failed);
        failed.warnings = vec![long.clone()];
        failed.phases = vec![
            Phase {
                name: long.clone(),
                duration_ms: u64::MAX
            };
            20
        ];
        failed.image.clone_from(&self::report().apps[0].image);
        failed.error = Some(Failure {
            message: long.clone(),
            log: vec![long.clone(); if at < 20 { 300 } else { 1 }],
            ..Failure::default()
        });
        report.apps.push(failed);
    }
    let text = summary(&report);
    assert!(text.len() <= 1_000_000, "{}", text.len());
    assert!(text.contains("more: see `report.json`"));
    assert!(text.starts_with("## peelbox: 0 of 1000 images built, and the run did not end\n"));
    assert!(text.ends_with("<!-- peelbox-report:v1 -->\n"));
    assert_eq!(
        text.matches("<details").count(),
        text.matches("</details>").count()
    );
}

#[test]
fn a_run_without_apps_says_so() {
    let mut report = Report::new(Run::default());
    assert!(summary(&report).starts_with("## peelbox: no apps, and the run did not end\n"));
    report.add(app("a", Outcome::Planned));
    report.complete = true;
    assert!(summary(&report).starts_with("## peelbox: 1 app planned\n"));
}
