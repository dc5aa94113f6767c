#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// Answers the double, slowly, and counts how often it works.
fn doubling(
    count: &Arc<AtomicUsize>,
) -> impl Fn(Vec<u32>) -> futures::future::BoxFuture<'static, Vec<u32>> + use<> {
    let count = Arc::clone(count);
    move |wishes| {
        let count = Arc::clone(&count);
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            count.fetch_add(1, Ordering::SeqCst);
            wishes.into_iter().map(|wish| wish * 2).collect()
        }
        .boxed()
    }
}

#[tokio::test]
async fn who_waits_meanwhile_goes_together() {
    let (queue, count) = (Queue::new(), Arc::default());
    let work = doubling(&count);
    let answers = futures::future::join_all((0..50).map(|n| queue.want(n, &work))).await;
    assert_eq!(answers, (0..50).map(|n| n * 2).collect::<Vec<_>>());
    assert!(count.load(Ordering::SeqCst) <= 2, "{count:?}");
}

#[tokio::test]
async fn who_gives_up_is_replaced() {
    let (queue, count) = (Queue::new(), Arc::default());
    let work = doubling(&count);
    let mut first = Box::pin(queue.want(1, &work));
    assert!(futures::poll!(first.as_mut()).is_pending());
    let rest = futures::future::join_all((2..9).map(|n| queue.want(n, &work)));
    let giving_up = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(first);
    };
    let (answers, ()) = futures::join!(rest, giving_up);
    assert_eq!(answers, (2..9).map(|n| n * 2).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_gives_up_while_others_work_is_in_nobodys_way() {
    let (queue, count) = (Queue::new(), Arc::default());
    let work = doubling(&count);
    for _ in 0..20 {
        let mut dropped = Box::pin(queue.want(1, &work));
        let _ = futures::poll!(dropped.as_mut());
    }
    assert_eq!(queue.want(5, &work).await, 10);
}
