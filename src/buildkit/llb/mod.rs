//! LLB, the graph of operations that BuildKit solves.
//!
//! A [`State`] is a file system that a graph of operations produces, with the environment, directory, user and
//! platform that operations on it start from. Operations are encoded when they are added, so every vertex knows
//! its digest at once; [`State::marshal`] only collects them.
//!
//! ```
//! use peelbox::buildkit::llb::{Copy, Exec, FileOp, Http, Mount, Rm, State};
//!
//! let package = State::from(Http::new("https://example.test/glibc-2.40-r0.apk"));
//! let root = FileOp::on(&State::scratch())
//!     .copy(&package, Copy::new("/*.apk", "/").wildcard().unpack())
//!     .rm(Rm::new("/.SIGN*").wildcard().allow_not_found())
//!     .with("unpack glibc")
//!     .state();
//! let ran = root.run(Exec::shell("make").mount(Mount::scratch("/out")));
//! let definition = ran.mount("/out").unwrap().marshal().unwrap();
//! assert_eq!(definition.proto().def.len(), 4);
//! ```

mod diff;
mod exec;
mod file;
mod marshal;
mod merge;
mod metadata;
mod mount;
mod source;
mod state;
mod vertex;

pub use diff::diff;
pub use exec::{Exec, Network, Proxy, Ran, Security};
pub use file::{Copy, FileOp, Mkdir, Mkfile, Owner, Rm, Symlink};
pub use marshal::{Definition, MarshalError};
pub use merge::merge;
pub use metadata::{Location, Metadata, ProgressGroup, SourceFile};
pub use mount::{Mount, Sharing};
pub use source::{Differ, Http, Image, Local, OciLayout, ResolveMode};
pub use state::State;
pub use vertex::{Output, Vertex};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{Digest, Platform};

    fn root(platform: &Platform) -> State {
        let package =
            State::from(Http::new("https://example.test/a.apk").checksum(Digest::of(b"")));
        let copy = Copy::new("/*.apk", "/").wildcard().unpack().parents();
        let copy = copy.include(["usr"]).exclude(["*.pyc"]);
        FileOp::on(&State::scratch())
            .copy(&package, copy.mode(0).modified(0).replace())
            .rm(Rm::new("/.SIGN*").wildcard().allow_not_found())
            .mkdir(Mkdir::new("/app").parents().modified(5))
            .mkfile(Mkfile::new("/empty", "").mode(0))
            .symlink(Symlink::new("a", "/b").owner(Owner { uid: 0, gid: 65532 }))
            .state()
            .platform(platform)
    }

    fn exec(context: &State, image: &State) -> Exec {
        let proxy = Proxy {
            http: "http://proxy.test".to_owned(),
            ..Proxy::default()
        };
        Exec::shell("make")
            .env("EMPTY", "")
            .proxy(proxy)
            .network(Network::None)
            .security(Security::Insecure)
            .host("localhost6", std::net::Ipv6Addr::LOCALHOST.into())
            .secret_env("TOKEN", "token")
            .mount(Mount::scratch("/out"))
            .mount(Mount::bind("/context", context).readonly().selector("/a"))
            .mount(Mount::bind("/image", image).discard())
            .mount(Mount::cache("/cache", "id", Sharing::Locked))
            .mount(Mount::tmpfs("/tmp", 0))
            .mount(Mount::secret("/secret", "token").optional())
            .mount(Mount::ssh("/ssh", "default"))
    }

    /// The digests were computed from the same bytes by BuildKit's Go types (v0.25.1), decoded and encoded again.
    #[test]
    fn every_kind_of_operation_has_the_digest_that_go_computes() {
        let platform = Platform::linux("arm64");
        let reference = "cgr.dev/chainguard/wolfi-base".parse().unwrap();
        let image = Image::new(&reference).platform(&platform).internal();
        let image = State::from(image.resolve(ResolveMode::ForcePull));
        let layout = OciLayout::new("store", Digest::of(b"x")).platform(&platform);
        let context = Local::new("context").include(["a"]).shared_key_hint("h");
        let root = root(&platform);
        let ran = root.run(exec(&State::from(context), &image));
        let changed = diff(&root, ran.root(), "changed");
        let out = ran.mount("/out").unwrap();
        let merged = merge([&State::from(layout), &changed, out, &changed], "merged");
        let definition = merged.marshal().unwrap();
        let digests: Vec<String> = definition
            .proto()
            .def
            .iter()
            .map(|op| Digest::of(op).hex()[..12].to_owned())
            .collect();
        assert_eq!(
            digests,
            [
                "3dda51b9fbfb", // OCI layout
                "93363da93aa8", // package
                "3b3c666221c6", // root
                "662323524bab", // context
                "df050612e093", // image
                "0ad7368b7281", // exec
                "7215fbc5dc98", // diff
                "6c942b9a7955", // merge
                "1416b0c361a2", // end
            ]
        );
    }
}
