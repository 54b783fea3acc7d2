//! What tests of many apps share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does each job on one of a few threads; what they complain of, sorted.
pub(crate) fn side_by_side<T: Sync>(
    jobs: &[T],
    threads: usize,
    act: impl Fn(&T) -> Vec<String> + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = act(job);
                    complaints.lock().unwrap().extend(found);
                }
            });
        }
    });
    let mut complaints = complaints.into_inner().unwrap();
    complaints.sort();
    complaints
}
