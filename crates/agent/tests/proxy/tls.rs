//! The proxy's way to a model's server over TLS.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use agent::proxy::{Api, Counted, Key, Outcome, Settings, Vendor, serve};

use super::{CANARY, JSON, MESSAGES, only, post, request, whole};

/// A model's server that speaks TLS, with a certificate that only its own authority vouches for.
fn tls_model() -> (SocketAddr, Vec<u8>, Arc<Mutex<Vec<String>>>) {
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let der = made.cert.der().to_vec();
    let key = made.signing_key.serialize_der();
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.try_into().unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heads);
    spawn(move || {
        for socket in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, socket.unwrap());
            let (head, _) = request(&mut stream);
            notes.lock().unwrap().push(head);
            let _ = stream.write_all(whole("application/json", JSON).as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (address, der, heads)
}

#[test]
fn over_tls_only_a_server_that_is_trusted_gets_the_key() {
    let (address, der, heads) = tls_model();
    let ask = |roots: Vec<Vec<u8>>, host: &str| {
        let api = Api::at(
            Vendor::Anthropic,
            &format!("https://{host}:{}", address.port()),
        )
        .unwrap();
        let mut settings = Settings::new(api, Key::new(CANARY));
        settings.roots = roots;
        let between = serve(TcpListener::bind("127.0.0.1:0").unwrap(), settings).unwrap();
        let reply = post(&between, MESSAGES, "{\"model\":\"m\"}");
        (reply, only(between))
    };
    let (reply, record) = ask(vec![der.clone()], "localhost");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(
        matches!(
            record.outcome,
            Outcome::Replied {
                counted: Counted::Whole(_),
                ..
            }
        ),
        "{record:?}"
    );
    assert!(heads.lock().unwrap()[0].contains(CANARY));
    heads.lock().unwrap().clear();
    // Trusted for another name.
    let (reply, record) = ask(vec![der], "127.0.0.1");
    assert!(reply.is_empty(), "{reply}");
    assert!(matches!(record.outcome, Outcome::NoReply(_)));
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (reply, _) = ask(vec![own.cert.der().to_vec()], "localhost");
    assert!(reply.is_empty(), "{reply}");
    assert!(
        heads
            .lock()
            .unwrap()
            .iter()
            .all(|head| !head.contains("canary"))
    );
}
