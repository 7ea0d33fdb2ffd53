//! hyper on tokio, one thread, answering what tests/bench/serve.c says: `hyper-peer [FILE]`.
//! SQLite is asked on the loop's own thread, by a cached statement: a hop to a worker would
//! cost several times what the query does.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::TcpListener;

use hyper::header::CONTENT_TYPE;
use hyper::service::{make_service_fn, service_fn};
use hyper::{Body, Request, Response, Server, StatusCode};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

thread_local! {
    static DB: RefCell<Option<Connection>> = RefCell::new(None);
}

fn row(id: &str) -> Option<String> {
    let id: i64 = id.parse().ok()?;
    DB.with(|db| {
        let db = db.borrow();
        let mut query = db
            .as_ref()?
            .prepare_cached("SELECT name, price FROM item WHERE id = ?1")
            .ok()?;
        query
            .query_row([id], |row| {
                let name = row.get_ref(0)?.as_str()?;
                let price: i64 = row.get(1)?;
                Ok(format!("{{\"id\":{},\"name\":\"{}\",\"price\":{}}}", id, name, price))
            })
            .optional()
            .ok()?
    })
}

async fn answer(req: Request<Body>) -> Result<Response<Body>, Infallible> {
    let path = req.uri().path();
    let mut resp = Response::new(Body::empty());
    if path == "/" {
        *resp.body_mut() = Body::from("Hello, world!\n");
        resp.headers_mut()
            .insert(CONTENT_TYPE, "text/plain".parse().unwrap());
    } else if let Some(json) = path.strip_prefix("/row/").and_then(row) {
        *resp.body_mut() = Body::from(json);
        resp.headers_mut()
            .insert(CONTENT_TYPE, "application/json".parse().unwrap());
    } else {
        *resp.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(resp)
}

async fn serve(listener: TcpListener) {
    let service = make_service_fn(|_| async { Ok::<_, Infallible>(service_fn(answer)) });
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("signal");
    Server::from_tcp(listener)
        .expect("listen")
        .tcp_nodelay(true)
        .serve(service)
        .with_graceful_shutdown(async move {
            term.recv().await;
        })
        .await
        .expect("serve");
}

fn main() {
    if let Some(file) = std::env::args().nth(1) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(file, flags).expect("database");
        DB.with(|place| *place.borrow_mut() = Some(db));
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("non-blocking");
    println!("http://{}", listener.local_addr().unwrap());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(serve(listener));
}
