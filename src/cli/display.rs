//! Progress of one app, on stderr and in its log file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::buildkit::StatusResponse;
use crate::progress::{Board, Detail, LogFile, Marks, Plain, RESTORE, Screen, Size, Title, json};

use super::args::{Building, Progress};
use super::environment::Environment;
use super::interrupt::Interrupt;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    kind: Kind,
    is_verbose: bool,
    has_colour: bool,
    has_unicode: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Live,
    Plain,
    Quiet,
    Raw,
}

impl Mode {
    /// What flags and environment ask for; `is_terminal` says whether stderr is one.
    pub(super) fn new(building: &Building, environment: &Environment) -> Self {
        Self::on(building, environment, io::stderr().is_terminal())
    }

    fn on(building: &Building, environment: &Environment, is_terminal: bool) -> Self {
        let can_move = is_terminal && environment.get("TERM").is_some_and(|term| term != "dumb");
        // A job's log is read later, even where its runner pretends to be a terminal.
        let is_watched = environment.get("CI").is_none();
        let kind = match building.progress {
            _ if building.quiet => Kind::Quiet,
            Progress::Quiet => Kind::Quiet,
            Progress::Rawjson => Kind::Raw,
            Progress::Tty if can_move => Kind::Live,
            Progress::Auto if can_move && is_watched => Kind::Live,
            Progress::Auto | Progress::Tty | Progress::Plain => Kind::Plain,
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| environment.get(name));
        let is_unicode = |locale: &str| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        };
        Self {
            kind,
            is_verbose: building.verbose,
            has_colour: environment.get("NO_COLOR").is_none(),
            has_unicode: locale.is_none_or(is_unicode),
        }
    }

    /// Whether people read what is told besides: neither do they want nothing but errors and digests, nor is it a
    /// program that reads.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self.kind, Kind::Live | Kind::Plain)
    }

    fn marks(self) -> Marks {
        match self.has_unicode {
            true => Marks::UNICODE,
            false => Marks::ASCII,
        }
    }
}

/// Shows status events and writes them to a log.
///
/// Events are taken at once, whatever becomes of what is shown: a thread of its own writes to stderr, and where that
/// takes nothing, lines are left out before they fill the memory.
#[derive(Clone)]
pub(super) struct Display(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something to write, or an end to it.
    news: Condvar,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    show: Show,
    queue: Queue,
    log: Option<LogFile<BufWriter<File>>>,
    begun: Instant,
    interrupt: Interrupt,
    has_ended: bool,
}

enum Show {
    Nothing,
    Lines(Plain),
    Raw,
    Live {
        board: Box<Board>,
        screen: Screen,
        marks: Marks,
    },
}

/// How often a terminal is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// How many bytes wait for a reader of stderr, at most.
const WAITING: usize = 8 << 20;

/// Lines that wait for the reader of stderr.
#[derive(Default)]
struct Queue {
    lines: VecDeque<String>,
    size: usize,
    left_out: usize,
}

impl Queue {
    fn push(&mut self, line: String) {
        if self.size + line.len() > WAITING {
            self.left_out += 1;
            return;
        }
        self.size += line.len();
        self.lines.push_back(line);
    }

    fn take(&mut self) -> String {
        let mut text = String::with_capacity(self.size + self.lines.len());
        for line in std::mem::take(self).lines {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

impl Shared {
    /// Waits for the time of the next frame, or for lines.
    fn wait(&self, is_live: bool) -> MutexGuard<'_, State> {
        let state = lock(&self.state);
        if is_live {
            let waited = self
                .news
                .wait_timeout_while(state, FRAME, |state| !state.has_ended);
            return waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let waited = self.news.wait_while(state, |state| {
            !state.has_ended && state.queue.lines.is_empty()
        });
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Display {
    /// Starts a display of the app of `title`, and its log.
    pub(super) fn new(mode: Mode, title: Title, log: Option<File>, interrupt: &Interrupt) -> Self {
        let mut queue = Queue::default();
        let show = match mode.kind {
            Kind::Quiet => Show::Nothing,
            Kind::Raw => Show::Raw,
            Kind::Plain => {
                queue.push(title.line());
                Show::Lines(Plain::new(match mode.is_verbose {
                    true => Detail::Operations,
                    false => Detail::Steps,
                }))
            }
            Kind::Live => Show::Live {
                board: Box::new(Board::new(title, mode.is_verbose)),
                screen: Screen::new(mode.has_colour),
                marks: mode.marks(),
            },
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                show,
                queue,
                log: log.map(|file| LogFile::new(BufWriter::new(file))),
                begun: Instant::now(),
                interrupt: interrupt.clone(),
                has_ended: false,
            }),
            news: Condvar::new(),
            writer: Mutex::new(None),
        });
        if mode.kind != Kind::Quiet {
            let writing = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("progress".to_owned());
            // Without a thread there is nothing to see, and the log all the same.
            *lock(&shared.writer) = thread.spawn(move || write(&writing)).ok();
        }
        Self(shared)
    }

    /// Takes an event: here, and only here, events get to what is shown and logged.
    pub(super) fn feed(&self, event: &StatusResponse) {
        lock(&self.0.state).feed(event);
        self.0.news.notify_one();
    }

    /// Shows what is left, and ends the log.
    pub(super) async fn finish(&self) {
        lock(&self.0.state).finish();
        self.0.news.notify_one();
        let Some(writer) = lock(&self.0.writer).take() else {
            return;
        };
        // A terminal that takes nothing must not keep the session waiting.
        let _ = tokio::task::spawn_blocking(|| writer.join()).await;
    }
}

impl State {
    fn feed(&mut self, event: &StatusResponse) {
        let at = self.begun.elapsed();
        match &mut self.show {
            Show::Nothing => {}
            Show::Lines(plain) => {
                for line in plain.feed(event) {
                    self.queue.push(line);
                }
            }
            Show::Raw => self.queue.push(json(event)),
            Show::Live { board, marks, .. } => board.feed(event, at, marks),
        }
        // A log that cannot be written is given up; the build is worth more.
        if self
            .log
            .as_mut()
            .is_some_and(|log| log.feed(event).is_err())
        {
            self.log = None;
        }
    }

    fn finish(&mut self) {
        match &mut self.show {
            Show::Nothing | Show::Raw => {}
            Show::Lines(plain) => {
                for line in plain.finish() {
                    self.queue.push(line);
                }
            }
            Show::Live { board, marks, .. } => board.finish(marks),
        }
        if let Some(log) = self.log.take() {
            let _ = log.finish(); // as above
        }
        self.has_ended = true;
    }

    /// What to write now.
    fn text(&mut self, terminal: &File) -> String {
        let Show::Live {
            board,
            screen,
            marks,
        } = &mut self.show
        else {
            let left_out = self.queue.left_out;
            let mut text = self.queue.take();
            if left_out > 0 && !matches!(self.show, Show::Raw) {
                text.push_str(&format!("({left_out} lines are left out here)\n"));
            }
            return text;
        };
        let at = self.begun.elapsed();
        if self.interrupt.is_raised() {
            board.stop();
        }
        board.advance(at, marks);
        let size = size(terminal);
        let live = match self.has_ended {
            true => Vec::new(),
            false => board.live(at, size, marks),
        };
        let settled = board.settled(size, marks);
        screen.frame(&settled, &live, size)
    }

    fn is_live(&self) -> bool {
        matches!(self.show, Show::Live { .. })
    }
}

/// Writes until the display has ended.
fn write(shared: &Shared) {
    // A handle of its own: one that nobody locks, and that has no buffer.
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else {
        return;
    };
    let mut stderr = File::from(stderr);
    let mut state = lock(&shared.state);
    let is_live = state.is_live();
    IS_LIVE.store(is_live, Ordering::Relaxed);
    loop {
        let has_ended = state.has_ended;
        let text = state.text(&stderr);
        drop(state);
        let _ = stderr.write_all(text.as_bytes()); // there is nobody else to tell
        if has_ended {
            break;
        }
        state = shared.wait(is_live);
    }
    IS_LIVE.store(false, Ordering::Relaxed);
}

static IS_LIVE: AtomicBool = AtomicBool::new(false);

/// Puts the terminal right before the process ends amid a frame, unless it takes nothing.
pub(super) fn restore() {
    if !IS_LIVE.load(Ordering::Relaxed) {
        return;
    }
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        if let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() {
            let _ = File::from(stderr).write_all(RESTORE.as_bytes()); // as above
        }
        let _ = done.send(()); // nobody waits any more
    });
    let _ = is_done.recv_timeout(Duration::from_millis(200)); // it is the last thing that happens
}

/// The size of the terminal now; one that does not know has the size of most.
fn size(terminal: &File) -> Size {
    let known = terminal_size::terminal_size_of(terminal);
    let (columns, rows) = known.map_or((0, 0), |(width, height)| (width.0, height.0));
    let or = |size: u16, usual: usize| match size {
        0 => usual,
        size => usize::from(size),
    };
    Size {
        columns: or(columns, 80),
        rows: or(rows, 24),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::{Cli, Command};
    use super::*;

    fn mode(flags: &str, variables: &[(&str, &str)], is_terminal: bool) -> Mode {
        let arguments = ["peelbox", "ci"]
            .into_iter()
            .chain(flags.split_whitespace());
        let Command::Ci(ci) = Cli::try_parse_from(arguments).unwrap().command else {
            panic!("not ci");
        };
        Mode::on(
            &ci.building,
            &variables.iter().copied().collect::<Environment>(),
            is_terminal,
        )
    }

    #[test]
    fn what_is_shown_depends_on_who_looks() {
        let xterm = ("TERM", "xterm");
        let (ci, dumb) = (("CI", "true"), ("TERM", "dumb"));
        for (flags, variables, is_terminal, kind) in [
            ("", &[xterm][..], true, Kind::Live),
            ("", &[xterm], false, Kind::Plain),
            ("", &[xterm, ci], true, Kind::Plain),
            ("", &[dumb], true, Kind::Plain),
            ("", &[], true, Kind::Plain),
            ("--progress tty", &[xterm, ci], true, Kind::Live),
            ("--progress tty", &[xterm], false, Kind::Plain),
            ("--progress tty", &[dumb], true, Kind::Plain),
            ("--progress plain", &[xterm], true, Kind::Plain),
            ("--progress quiet", &[xterm], true, Kind::Quiet),
            ("--progress rawjson", &[xterm], true, Kind::Raw),
            ("--progress tty --quiet", &[xterm], true, Kind::Quiet),
            ("--progress rawjson -q -v", &[xterm], true, Kind::Quiet),
        ] {
            let told = mode(flags, variables, is_terminal).kind;
            assert_eq!(told, kind, "{flags} {variables:?} {is_terminal}");
        }
    }

    #[test]
    fn colour_and_marks_follow_the_environment() {
        let xterm = ("TERM", "xterm");
        assert!(mode("", &[xterm], true).has_colour);
        assert!(!mode("", &[xterm, ("NO_COLOR", "1")], true).has_colour);
        for (variables, has_unicode) in [
            (&[][..], true),
            (&[("LANG", "de_DE.UTF-8")], true),
            (&[("LANG", "C.utf8"), ("LC_CTYPE", "en_US.UTF-8")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "POSIX")], false),
        ] {
            assert_eq!(mode("", variables, true).has_unicode, has_unicode);
        }
    }

    #[test]
    fn a_reader_who_does_not_read_does_not_fill_the_memory() {
        let mut queue = Queue::default();
        for _ in 0..20 {
            queue.push("x".repeat(1 << 20));
        }
        assert_eq!((queue.lines.len(), queue.left_out), (8, 12));
        assert!(queue.size <= WAITING);
        queue.take();
        queue.push("again".to_owned());
        assert_eq!((queue.take().as_str(), queue.left_out), ("again\n", 0));
    }
}
