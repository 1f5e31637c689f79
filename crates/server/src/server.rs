//! The server as a whole: from a configuration to open ports, and from there to a clean end.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::{AppSpec, Engine, PlaybackRegistry};
use chunk_processor::Timeline;
use core_frame::{FrameFilter, StreamError, StreamKey};
use ingest_rtmp::net::RtmpProtocol;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::auth::{Gate, StaticTokens};
use crate::certificate::Certificate;
use crate::config::{App, Config, Listen};
use crate::counters::{Counters, Tally};
use crate::links::{Links, OnDemand};
use crate::packager::Packagers;
use crate::sessions::{Door, Sessions};
use crate::web::{self, Pages, Shared, Transport, Viewers};
use crate::{Error, demo, listen};

/// How often what is kept about viewers who left is thrown away.
const SWEEP: Duration = Duration::from_secs(10);

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// Where a server listens; `None` where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addresses {
    /// HTTP.
    pub http: Option<SocketAddr>,
    /// HTTPS.
    pub https: Option<SocketAddr>,
    /// RTMP.
    pub rtmp: Option<SocketAddr>,
    /// RTMP over TLS.
    pub rtmps: Option<SocketAddr>,
}

impl Addresses {
    /// An address as somebody on this machine would write it: every interface becomes `localhost`.
    #[must_use]
    pub fn reachable(addr: SocketAddr) -> String {
        match addr.ip() {
            ip if ip.is_unspecified() => format!("localhost:{}", addr.port()),
            IpAddr::V4(Ipv4Addr::LOCALHOST) => format!("localhost:{}", addr.port()),
            _ => addr.to_string(),
        }
    }
}

/// A server that runs. Dropping it stops it without a drain; [`Running::shutdown`] is the clean way.
pub struct Running {
    addresses: Addresses,
    shared: Arc<Shared>,
    /// No new connections.
    closing: CancellationToken,
    /// Everything ends.
    stop: CancellationToken,
    tasks: TaskTracker,
    fault: watch::Receiver<Option<String>>,
}

impl Server {
    /// Opens every port and starts everything. When it returns, connections are accepted.
    ///
    /// # Errors
    /// An address that is taken, a certificate that cannot be read, a storage that cannot be opened.
    pub async fn start(config: Config) -> Result<Running, Error> {
        let config = Arc::new(config);
        let (http, http_addr) = open("HTTP", config.http.listen)?;
        let certificate = Certificate::open(&config.tls)?;
        let (mut https, mut https_addr, mut rtmps_tls) = (None, None, None);
        if let Some(certificate) = &certificate {
            let (listener, addr) = open("HTTPS", config.http.tls_listen)?;
            let tls = certificate.server_config(&[b"h2", b"http/1.1"])?;
            https = listener.map(|l| (l, TlsAcceptor::from(tls)));
            https_addr = addr;
            rtmps_tls = Some(certificate.server_config(&[])?);
        }
        let sessions = Sessions::new(&config);
        let rtmp = rtmp(&config, &sessions, config.rtmp.listen, None)?;
        let rtmps = match rtmps_tls {
            Some(tls) => self::rtmp(&config, &sessions, config.rtmps.listen, Some(tls))?,
            None => None,
        };
        let addresses = Addresses {
            http: http_addr,
            https: https_addr,
            rtmp: rtmp.as_ref().map(RtmpProtocol::local_addr),
            rtmps: rtmps.as_ref().map(RtmpProtocol::local_addr),
        };

        let gate = Arc::new(Gate::new(Arc::clone(&config)));
        let tally = Arc::new(Tally::default());
        let engine = engine(&config, &gate, &tally);
        let (closing, stop, tasks) = (
            CancellationToken::new(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let packagers = Packagers::open(&config).await?;
        let viewers = Arc::new(Viewers::default());
        let links = Links::new(&config, &engine, &viewers)?;
        let playback: Arc<dyn PlaybackRegistry> = Arc::new(OnDemand {
            engine: Arc::clone(&engine),
            links: Arc::clone(&links),
        });
        let rtmp = [rtmp, rtmps].into_iter().flatten();
        let rtmp = rtmp.map(|p| Arc::new(p.with_playback(Arc::clone(&playback))));
        let port = |addr: Option<SocketAddr>| addr.map(|a| a.port());
        let shared = Arc::new(Shared {
            engine: Arc::clone(&engine),
            rtmp: rtmp.collect(),
            playback,
            links: Arc::clone(&links),
            gate,
            packagers: Arc::clone(&packagers),
            viewers,
            sessions,
            counters: Arc::new(Counters::default()),
            tally,
            pages: Pages::new(port(addresses.rtmp), port(addresses.rtmps)),
            ready: AtomicBool::new(false),
            tasks: tasks.clone(),
            config: Arc::clone(&config),
        });

        let (fault_in, fault) = watch::channel(None);
        tasks.spawn(packagers.run(
            Arc::clone(&engine),
            engine.events().subscribe(),
            stop.clone(),
        ));
        tasks.spawn(links.run(engine.events().subscribe(), stop.clone()));
        if let Some(certificate) = certificate {
            tasks.spawn(certificate.watch(stop.clone()));
        }
        tasks.spawn(sweep(Arc::clone(&shared), stop.clone()));
        {
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            tasks.spawn(async move {
                if let Err(e) = engine.run(stop).await {
                    error!(error = %e, "the engine failed");
                    fault_in.send_replace(Some(e.to_string()));
                }
            });
        }
        let plain = http.map(|listener| (listener, Transport::Plain));
        let tls = https.map(|(listener, acceptor)| (listener, Transport::Tls(acceptor)));
        for (listener, transport) in plain.into_iter().chain(tls) {
            let shared = Arc::clone(&shared);
            tasks.spawn(web::accept(shared, listener, transport, closing.clone()));
        }
        for protocol in &shared.rtmp {
            let protocol = Arc::clone(protocol);
            let (engine, closing) = (Arc::clone(&engine), closing.clone());
            tasks.spawn(async move {
                if let Err(e) = engine.serve(protocol, closing).await {
                    error!(error = %e, "RTMP failed");
                }
            });
        }
        for source in config
            .streams
            .iter()
            .filter(|s| s.source.scheme() == "demo")
        {
            match StreamKey::parse(&source.key) {
                Ok(key) => {
                    let opened = demo::open(&engine, &key).await;
                    tasks.spawn(demo::publish(
                        Arc::clone(&engine),
                        key,
                        opened,
                        stop.clone(),
                    ));
                }
                Err(e) => warn!(error = %e, "a stream of the configuration has no valid key"),
            }
        }
        shared.ready.store(true, Ordering::Release);
        log_addresses(&addresses);
        info!(
            max_files = crate::process::max_files(),
            max_sessions = shared.sessions.all.most(),
            "ready"
        );
        Ok(Running {
            addresses,
            shared,
            closing,
            stop,
            tasks,
            fault,
        })
    }
}

impl Running {
    /// Where it listens, with the ports that were really taken.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The engine, for publishing and reading in this process.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// Waits until a part fails that the server cannot go on without; for ever, when none does.
    pub async fn failed(&self) -> Error {
        let mut fault = self.fault.clone();
        let message = match fault.wait_for(Option::is_some).await {
            Ok(message) => message.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        };
        Error::Stream(StreamError::other(message))
    }

    /// Ends it: no new connections, every stream gets its end, readers get what was published before it, and whatever
    /// has not ended within `shutdown.drain_s` is cut.
    pub async fn shutdown(self) {
        let drain = Duration::from_secs(self.shared.config.shutdown.drain_s);
        let deadline = tokio::time::Instant::now() + drain;
        self.shared.ready.store(false, Ordering::Release);
        self.closing.cancel();
        self.shared.engine.shutdown(drain).await;
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout_at(deadline, self.tasks.wait())
            .await
            .is_err()
        {
            warn!(
                tasks = self.tasks.len(),
                "some sessions did not end in time and are cut"
            );
        }
        info!("shut down");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.closing.cancel();
        self.stop.cancel();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

type Opened = (Option<TcpListener>, Option<SocketAddr>);

fn open(protocol: &'static str, at: Listen) -> Result<Opened, Error> {
    let Some(listener) = listen::bind(protocol, at)? else {
        return Ok((None, None));
    };
    let failed = |source| Error::Bind {
        protocol,
        address: at.to_string(),
        source,
    };
    let addr = listener.local_addr().map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    Ok((Some(listener), Some(addr)))
}

/// RTMP as the configuration wants it, bound; with `tls` it is RTMPS.
fn rtmp(
    config: &Config,
    sessions: &Sessions,
    listen: Listen,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Result<Option<RtmpProtocol>, Error> {
    let protocol = if tls.is_some() { "RTMPS" } else { "RTMP" };
    let bind = |addr: SocketAddr| {
        let mut options = ingest_rtmp::net::Config::new(addr);
        options.limits = config.limits.clone();
        options.tls.clone_from(&tls);
        options.door = Some(Arc::new(Door(Arc::clone(&sessions.all))));
        options.fan_out = config.rtmp.fan_out.into();
        options.reconnect_to = Some(config.rtmp.reconnect_to.clone()).filter(|url| !url.is_empty());
        // The gate takes its time over a wrong token already.
        options.denied_delay = (Duration::ZERO, Duration::ZERO);
        RtmpProtocol::bind(options)
    };
    listen::with(listen, bind).map_err(|source| Error::Bind {
        protocol,
        address: listen.to_string(),
        source,
    })
}

/// The engine with what the configuration says of each application; applications it does not name get the defaults.
fn engine(config: &Arc<Config>, gate: &Arc<Gate>, tally: &Arc<Tally>) -> Arc<Engine> {
    let mut builder = Engine::builder()
        .limits(config.limits.clone())
        .allow_any_app(app_spec(&App::new("live"), config.limits.lag_ms))
        .authenticator(Arc::new(StaticTokens(Arc::clone(gate))))
        .observer(Arc::clone(tally) as _)
        .filter(Arc::new(|_: &StreamKey| -> Box<dyn FrameFilter> {
            Box::new(Timeline::default())
        }));
    if config.publish.idle_s > 0 {
        builder = builder.idle_timeout(Duration::from_secs(config.publish.idle_s));
    }
    for app in &config.apps {
        builder = builder.application(app_spec(app, config.limits.lag_ms));
    }
    builder.build()
}

fn app_spec(app: &App, lag_ms: u64) -> AppSpec {
    let mut spec = AppSpec::new(&app.name)
        // No reader of this server may be further behind, so nothing older is of use to anybody.
        .tail_ms(lag_ms.saturating_add(1_000))
        .grace(Duration::from_secs(app.grace_s))
        .end_on_unpublish(app.end_on_unpublish);
    if app.gop_cache_frames > 0 {
        spec = spec.gop_cache(app.gop_cache_frames as usize);
    }
    if app.gop_cache_bytes > 0 {
        spec = spec.gop_cache_bytes(app.gop_cache_bytes);
    }
    if app.gop_cache_ms > 0 {
        spec = spec.gop_cache_ms(app.gop_cache_ms);
    }
    if app.max_publishers > 0 {
        spec = spec.max_publishers(app.max_publishers);
    }
    if app.max_readers > 0 {
        spec = spec.max_readers(app.max_readers);
    }
    spec
}

async fn sweep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = tick.tick() => shared.viewers.sweep(std::time::Instant::now()),
            () = stop.cancelled() => return,
        }
    }
}

fn log_addresses(addresses: &Addresses) {
    // RTMP says so itself.
    for (protocol, addr) in [("http", addresses.http), ("https", addresses.https)] {
        if let Some(addr) = addr {
            info!(protocol, %addr, "listening");
        }
    }
}
