//! The rows on tokio, one run of one row: `tokio-peer ROW N`. What it prints,
//! what does not count and what exit 77 means: tests/bench/bench.h, whose
//! sizes are repeated below. One thread (current_thread) except for the rows
//! that are about two.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

const SKIP: i32 = 77;
const FAN: usize = 1000;
const TIMERS: usize = 100_000;
const HERD: usize = 10_000;
const WARM: usize = 2000;

// --- the clocks ---------------------------------------------------------------------------------

fn clock(id: libc::clockid_t) -> i64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(id, &mut ts) };
    ts.tv_sec * 1_000_000_000 + ts.tv_nsec
}

struct Bench {
    n: usize,
    wall_ns: i64,
    cpu_ns: i64,
    at: (i64, i64),
}

impl Bench {
    fn go(&mut self) {
        self.at.1 = clock(libc::CLOCK_PROCESS_CPUTIME_ID);
        self.at.0 = clock(libc::CLOCK_MONOTONIC);
    }

    fn halt(&mut self) {
        self.wall_ns += clock(libc::CLOCK_MONOTONIC) - self.at.0;
        self.cpu_ns += clock(libc::CLOCK_PROCESS_CPUTIME_ID) - self.at.1;
    }

    fn print(&self) {
        let n = self.n as f64;
        println!("{:.3} {:.3}", self.wall_ns as f64 / n, self.cpu_ns as f64 / n);
    }
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize
}

/// As bench_pin: the first or the last processor of the machine.
fn pin(last: bool) {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let n = libc::sysconf(libc::_SC_NPROCESSORS_CONF) as usize;
        libc::CPU_SET(if last { n - 1 } else { 0 }, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set);
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

// --- tasks --------------------------------------------------------------------------------------

async fn nothing() {}

async fn yields(n: usize) {
    for _ in 0..n {
        tokio::task::yield_now().await;
    }
}

async fn two_yielders(each: usize) {
    let a = tokio::spawn(yields(each));
    let b = tokio::spawn(yields(each));
    a.await.unwrap();
    b.await.unwrap();
}

async fn row_yield(b: &mut Bench) {
    two_yielders(WARM).await;
    b.go();
    two_yielders(b.n / 2).await;
    b.halt();
}

async fn spawn_and_join(n: usize) {
    let mut handles = Vec::with_capacity(n);
    for _ in 0..n {
        handles.push(tokio::spawn(nothing()));
    }
    for handle in handles {
        handle.await.unwrap();
    }
}

async fn row_spawn(b: &mut Bench) {
    spawn_and_join(FAN).await;
    b.go();
    let mut left = b.n;
    while left > 0 {
        let fan = left.min(FAN);
        spawn_and_join(fan).await;
        left -= fan;
    }
    b.halt();
}

/// The nearest thing to a region: a set that aborts what is left in it when it goes.
async fn region(fan: usize) {
    let mut set = JoinSet::new();
    for _ in 0..fan {
        set.spawn(nothing());
    }
    while let Some(result) = set.join_next().await {
        result.unwrap();
    }
}

async fn row_region(b: &mut Bench, fan: usize) {
    for _ in 0..WARM {
        region(fan).await;
    }
    b.go();
    for _ in 0..b.n {
        region(fan).await;
    }
    b.halt();
}

// --- channels -----------------------------------------------------------------------------------

async fn row_channel(b: &mut Bench) {
    let (tx, mut rx) = mpsc::channel::<u64>(16);
    b.go();
    for i in 0..b.n as u64 {
        let permit = tx.reserve().await.unwrap();
        permit.send(i);
        assert_eq!(rx.recv().await, Some(i));
    }
    b.halt();
}

async fn row_ping_pong(b: &mut Bench) {
    let (there, mut at_there) = mpsc::channel::<u64>(1);
    let (back, mut at_back) = mpsc::channel::<u64>(1);
    let echo = tokio::spawn(async move {
        while let Some(i) = at_there.recv().await {
            back.reserve().await.unwrap().send(i);
        }
    });
    let mut done = 0;
    for n in [WARM, b.n] {
        b.go();
        for i in 0..n as u64 {
            there.reserve().await.unwrap().send(i);
            assert_eq!(at_back.recv().await, Some(i));
        }
        if done > 0 {
            b.halt();
        }
        done += 1;
    }
    drop(there);
    echo.await.unwrap();
}

// --- timers -------------------------------------------------------------------------------------

struct PollOnce<'a>(Pin<&'a mut Sleep>);

impl Future for PollOnce<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(self.0.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    }
}

struct Timers {
    timer: Vec<Option<Pin<Box<Sleep>>>>,
    base: Instant,
    seed: u64,
}

impl Timers {
    fn new() -> Timers {
        Timers {
            timer: (0..2 * TIMERS).map(|_| None).collect(),
            base: Instant::now(),
            seed: 88172645463325252,
        }
    }

    fn some_deadline(&mut self) -> Instant {
        let ms = 1_000_000 + random(&mut self.seed) % 1_000_000;
        self.base + Duration::from_millis(ms)
    }

    /// A sleep is in the wheel only once it has been polled.
    async fn start(&mut self, from: usize, n: usize) {
        for i in from..from + n {
            let mut sleep = Box::pin(tokio::time::sleep_until(self.some_deadline()));
            PollOnce(sleep.as_mut()).await;
            self.timer[i] = Some(sleep);
        }
    }

    fn restart(&mut self, from: usize, n: usize) {
        for i in from..from + n {
            let at = self.some_deadline();
            self.timer[i].as_mut().unwrap().as_mut().reset(at);
        }
    }

    fn stop(&mut self, from: usize, n: usize) {
        for timer in &mut self.timer[from..from + n] {
            *timer = None;
        }
    }
}

async fn row_timer_start(b: &mut Bench) {
    let mut timers = Timers::new();
    timers.start(0, TIMERS).await;
    let mut left = b.n;
    while left > 0 {
        let batch = left.min(TIMERS);
        b.go();
        timers.start(TIMERS, batch).await;
        b.halt();
        left -= batch;
        if left > 0 {
            timers.stop(TIMERS, batch);
        }
    }
    b.print();
    std::process::exit(0); // stopping them is another row
}

async fn row_timer_restart(b: &mut Bench) {
    let mut timers = Timers::new();
    timers.start(0, TIMERS).await;
    b.go();
    let mut left = b.n;
    while left > 0 {
        let batch = left.min(TIMERS);
        timers.restart(0, batch);
        left -= batch;
    }
    b.halt();
}

async fn row_timer_stop(b: &mut Bench) {
    let mut timers = Timers::new();
    timers.start(0, 2 * TIMERS).await;
    let mut left = b.n;
    while left > 0 {
        let batch = left.min(TIMERS);
        b.go();
        timers.stop(TIMERS, batch);
        b.halt();
        left -= batch;
        if left > 0 {
            timers.start(TIMERS, batch).await;
        }
    }
    b.print();
    std::process::exit(0); // so that the instructions are those of the stops
}

// --- parked, cancel -----------------------------------------------------------------------------

async fn sleeper() {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

async fn park(set: &mut JoinSet<()>, n: usize) {
    for _ in 0..n {
        set.spawn(sleeper());
    }
    // The queue is first in, first out: when we run again all have run.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

async fn row_parked(b: &mut Bench) {
    let before = resident();
    let mut set = JoinSet::new();
    park(&mut set, b.n).await;
    let each = (resident() - before) as f64 / b.n as f64;
    println!("{each:.1} {each:.1}");
    std::process::exit(0); // as the runtime's row
}

async fn row_cancel(b: &mut Bench) {
    let mut left = b.n;
    while left > 0 {
        let batch = left.min(HERD);
        let mut set = JoinSet::new();
        park(&mut set, batch).await;
        b.go();
        set.shutdown().await;
        b.halt();
        left -= batch;
    }
}

// --- port: two runtimes on two threads ----------------------------------------------------------

type Call = (u64, oneshot::Sender<u64>);

async fn answer(mut calls: mpsc::Receiver<Call>) {
    while let Some((i, reply)) = calls.recv().await {
        reply.send(i).unwrap();
    }
}

async fn call(to: &mpsc::Sender<Call>, n: usize) {
    for i in 0..n as u64 {
        let (reply, result) = oneshot::channel();
        to.send((i, reply)).await.unwrap();
        assert_eq!(result.await, Ok(i));
    }
}

fn row_port(b: &mut Bench, cores: bool) {
    let (to, calls) = mpsc::channel(1);
    pin(cores);
    let there = std::thread::spawn(move || runtime().block_on(answer(calls)));
    pin(false);
    runtime().block_on(async move {
        call(&to, WARM).await;
        b.go();
        call(&to, b.n).await;
        b.halt();
    });
    there.join().unwrap();
}

/// In a task, as in the other programs; false: no such row.
async fn run(row: &str, b: &mut Bench) -> bool {
    match row {
        "yield" => row_yield(b).await,
        "spawn" => row_spawn(b).await,
        "region" => row_region(b, 0).await,
        "region-spawn" => row_region(b, 1).await,
        "channel" => row_channel(b).await,
        "ping-pong" => row_ping_pong(b).await,
        "timer-start" => row_timer_start(b).await,
        "timer-restart" => row_timer_restart(b).await,
        "timer-stop" => row_timer_stop(b).await,
        "parked" => row_parked(b).await,
        "cancel" => row_cancel(b).await,
        _ => return false,
    }
    true
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: usize = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    if args.len() != 3 || n == 0 {
        eprintln!("usage: tokio-peer ROW N");
        std::process::exit(2);
    }
    let row = args[1].clone();
    let mut b = Bench { n, wall_ns: 0, cpu_ns: 0, at: (0, 0) };
    if row == "port" || row == "port-cores" {
        row_port(&mut b, row == "port-cores");
        b.print();
        return;
    }
    let rt = runtime();
    let done = rt.block_on(async move {
        tokio::spawn(async move { run(&row, &mut b).await.then_some(b) }).await.unwrap()
    });
    match done {
        Some(b) => b.print(),
        None => std::process::exit(SKIP),
    }
}
