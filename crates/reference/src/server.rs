//! Starting and stopping: a thread with a small runtime of its own per app.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use model::Binding;
use tokio::sync::oneshot;

use crate::routes;
use crate::settings::{Settings, StartError};
use crate::shape::Shape;
use crate::site::Site;
use crate::weakness::Weakness;

/// How long a stop waits for threads that are hashing.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// An app, ready to be served.
#[derive(Debug, Clone)]
pub struct App {
    pub settings: Settings,
    pub binding: Binding,
    pub weak: BTreeSet<Weakness>,
    pub shape: BTreeSet<Shape>,
}

impl App {
    /// With every control, answering as the contract has it.
    pub fn secure(settings: Settings, binding: Binding) -> Self {
        Self {
            settings,
            binding,
            weak: BTreeSet::new(),
            shape: BTreeSet::new(),
        }
    }

    #[must_use]
    pub fn with_weakness(mut self, weakness: Weakness) -> Self {
        self.weak.insert(weakness);
        self
    }

    #[must_use]
    pub fn with_shape(mut self, shape: Shape) -> Self {
        self.shape.insert(shape);
        self
    }

    /// Serves until stopped. Port 0 takes a free one.
    pub fn serve(self, at: SocketAddr) -> Result<Running, StartError> {
        let site = Arc::new(Site::open(
            self.settings,
            self.binding,
            self.weak,
            self.shape,
        )?);
        let router = routes::router(site)?;
        let listen = |source| StartError::Listen { at, source };
        let listener = TcpListener::bind(at).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .thread_name("reference")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(listen)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("reference".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let service = router.into_make_service_with_connect_info::<SocketAddr>();
                    tokio::select! {
                        // Ends only with the listener, which ends with the process.
                        _ = axum::serve(listener, service) => (),
                        // An error means that the handle is gone, which is a stop as well.
                        _ = stopped => (),
                    }
                });
                runtime.shutdown_timeout(LAST_WORDS);
            })
            .map_err(StartError::Runtime)?;
        Ok(Running {
            addr,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A served app. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Frees the port, ends open connections, and waits for the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread is gone already when nobody listens.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed; a stop has nothing to add.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
