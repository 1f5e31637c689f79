//! Publishers that come, go and collide, and the end of the server.

use testkit::Server;
use testkit::rtmp::{Peer, Publisher, Reader};
use testkit::synth::Options;

use crate::support::{numbered, secs};

#[test]
fn a_second_publisher_is_refused_and_the_first_goes_on() {
    let (server, publisher) = numbered("cam", Options::default());
    let reader = Reader::start(server.rtmp(), "live", "cam").unwrap();
    for _ in 0..3 {
        let refused = Peer::publish(server.rtmp(), "live", "cam").unwrap_err();
        println!("{refused}");
        assert!(
            refused.to_string().contains("NetStream.Publish.BadName"),
            "{refused}"
        );
    }
    assert!(reader.wait_for(60, secs(10)));
    let (check, closed) = reader.stop();
    assert!(check.is_whole() && !closed, "{check}");
    publisher.stop().unwrap();
}

#[test]
fn a_publisher_comes_back_and_its_reader_is_still_there() {
    let (server, publisher) = numbered("cam", Options::default());
    let reader = Reader::start(server.rtmp(), "live", "cam").unwrap();
    assert!(reader.wait_for(45, secs(10)));
    publisher.stop().unwrap();
    std::thread::sleep(secs(1));
    println!("between: {}", server.api("streams/live/cam")["state"]);
    let again = Publisher::start(server.rtmp(), "live", "cam", Options::default()).unwrap();
    assert!(reader.wait_for(45, secs(10)), "{}", server.log());
    let (check, closed) = reader.stop();
    println!("{check}");
    assert!(!closed);
    // The second run counts from 0 again: exactly one step back, nothing else wrong.
    assert_eq!((check.video.unreadable, check.video.lost), (0, 0));
    again.stop().unwrap();
}

#[test]
fn sigterm_ends_everything_in_order() {
    let (server, _publisher) = numbered("cam", Options::default());
    let _reader = Reader::start(server.rtmp(), "live", "cam").unwrap();
    let done = server.stop();
    println!(
        "{:?} after {:?} in all\n{}",
        done.status, done.took, done.stderr
    );
    assert_eq!(done.status.unwrap().code(), Some(0));
}

#[test]
fn a_taken_port_is_an_error_at_start() {
    let server = Server::start(&[]).unwrap();
    let taken = format!("rtmp.listen={}", server.rtmp());
    let error = Server::start(&["--set", &taken, "--set", "http.listen="]).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains(&server.rtmp().to_string()));
}
