//! How long the program takes from its start to its first call, and how large it is.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::case::load;
use crate::measure::{median, milliseconds};

/// The program before it does anything.
pub(crate) struct Start {
    /// The median time to the first call, in milliseconds.
    pub(crate) wall: f64,
    /// The size of the program, in MiB.
    pub(crate) size: f64,
    /// The load average before.
    pub(crate) load: f64,
}

const PREFACE: usize = 24;
const HEADERS: u8 = 1;

pub(crate) fn measure(peelbox: &Path, runs: usize) -> Start {
    let size = fs::metadata(peelbox).unwrap().len();
    Start {
        load: load(),
        wall: median((0..runs).map(|_| start(peelbox))),
        size: size as f64 / f64::from(1 << 20),
    }
}

/// Lets `peelbox doctor` connect to a daemon that never answers, and stops it once it has called.
fn start(peelbox: &Path) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("buildkitd.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let started = Instant::now();
    let mut child = Command::new(peelbox)
        .args(["doctor", "--buildkit"])
        .arg(format!("unix://{}", socket.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; PREFACE]).unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        if head[3] == HEADERS {
            break;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let length = usize::try_from(length).unwrap();
        stream.read_exact(&mut vec![0; length]).unwrap();
    }
    let wall = milliseconds(started.elapsed());
    child.kill().unwrap();
    child.wait().unwrap();
    wall
}
