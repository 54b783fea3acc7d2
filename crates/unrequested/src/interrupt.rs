//! Ctrl-C and SIGTERM while an app is attacked: what has ended is in the ledger already, so another thread reads it from
//! there, says what it can, and ends the process. A second signal ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Names the process with which this one is to end.
pub(crate) const ENDS_WITH: &str = "UNREQUESTED_ENDS_WITH";

/// What a shell reports of a program that SIGINT ended.
const AT_ONCE: i32 = 130;

/// Whether the end of the work is still ours to tell.
#[derive(Clone)]
pub(crate) struct Watch {
    told: Arc<AtomicBool>,
}

impl Watch {
    /// Runs `tell` at the first signal, on a thread of its own, and ends the process with what it returns.
    pub(crate) fn begin(tell: impl FnOnce() -> Exit + Send + 'static) -> Self {
        let watch = Self {
            told: Arc::new(AtomicBool::new(false)),
        };
        let mine = watch.clone();
        // Where no signals can be had the work goes on without.
        let _ = std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                else {
                    return;
                };
                runtime.block_on(async {
                    let (Ok(mut interrupt), Ok(mut terminate)) = (
                        signal(SignalKind::interrupt()),
                        signal(SignalKind::terminate()),
                    ) else {
                        return;
                    };
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                    if !mine.claim() {
                        end(AT_ONCE);
                    }
                    let _ = std::thread::Builder::new()
                        .name("partial report".into())
                        .spawn(move || end(tell() as i32));
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                    end(AT_ONCE);
                });
            });
        watch
    }

    /// True for the first that asks: either the work has ended, or a signal came before.
    fn claim(&self) -> bool {
        !self.told.swap(true, Ordering::SeqCst)
    }

    /// Called when the work has ended: a signal that comes now ends the process. Where one came before, the other thread
    /// is telling, and this one waits for the end of the process.
    pub(crate) fn finish(&self) {
        if self.claim() {
            return;
        }
        loop {
            std::thread::park();
        }
    }
}

/// What a server started for somebody ends with the server, however that ends. Linux only.
pub(crate) fn end_with_parent() {
    let Some(parent) = std::env::var(ENDS_WITH)
        .ok()
        .and_then(|id| id.parse::<i32>().ok())
    else {
        return;
    };
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    // It may have ended before it could be asked for.
    if rustix::process::getppid().is_none_or(|now| now.as_raw_nonzero().get() != parent) {
        end(AT_ONCE);
    }
}

/// The app's box ends with this process: its holder sees the socket close.
#[allow(
    clippy::exit,
    reason = "the thread that works cannot be stopped, only ended with the process"
)]
fn end(code: i32) {
    std::process::exit(code);
}
