//! The instrument measured: controls, what the exploits said of them, and the book of it.

pub(crate) mod book;
pub(crate) mod control;
pub(crate) mod measure;
pub(crate) mod pack;
pub(crate) mod patch;
pub(crate) mod quick;

use std::sync::Mutex;

/// Does the jobs on a few threads; the results come in the order in which they ended. The first error ends it.
pub(crate) fn side_by_side<T: Send, R: Send, E: Send>(
    jobs: Vec<T>,
    threads: usize,
    act: impl Fn(T) -> Result<Vec<R>, E> + Sync,
) -> Result<Vec<R>, E> {
    let queue = Mutex::new(jobs.into_iter());
    let done: Mutex<Result<Vec<R>, E>> = Mutex::new(Ok(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    if lock(&done).is_err() {
                        return;
                    }
                    let Some(job) = lock(&queue).next() else {
                        return;
                    };
                    match (act(job), &mut *lock(&done)) {
                        (Ok(found), Ok(all)) => all.extend(found),
                        (Err(error), all @ Ok(_)) => *all = Err(error),
                        (_, Err(_)) => {}
                    }
                }
            });
        }
    });
    done.into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
