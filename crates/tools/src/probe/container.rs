//! FLV and fragmented MP4 from bytes, whatever brings them.

use cmaf::read::{Event as Mp4Event, Reader};
use core_frame::{Limits, TrackId};
use flv::{Demuxer, Event, Events, FileEvent, FileReader, Metadata, TagKind};

use super::meter::Meter;
use super::report::{ProbeReport, damage};
use crate::error::causes;
use crate::{Error, Result};

/// Bytes that tell what something is.
pub(super) const SNIFF: usize = 16;

/// True for the begin of a playlist.
pub(super) fn is_playlist(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    head.starts_with(b"#EXTM3U")
}

/// A container that is being read.
pub(super) struct Container {
    format: Format,
    is_live: bool,
    /// A header or a tag was there: it is what it was taken for.
    is_certain: bool,
    bytes: u64,
    pub(super) media: FlvMedia,
    failed: Option<Error>,
}

enum Format {
    Flv(FileReader),
    Mp4(Reader),
}

/// The media of FLV tags or RTMP messages.
pub(super) struct FlvMedia {
    demuxer: Demuxer,
    events: Events,
    pub(super) meter: Meter,
    pub(super) metadata: Option<Metadata>,
}

impl FlvMedia {
    pub(super) fn new() -> Self {
        let mut limits = Limits::default();
        // Recorders index each key frame in the metadata; a file may be long.
        limits.amf_nodes = 1_000_000;
        Self {
            demuxer: Demuxer::new(&limits),
            events: Events::new(),
            meter: Meter::default(),
            metadata: None,
        }
    }

    pub(super) fn push(&mut self, kind: TagKind, timestamp_ms: u32, body: bytes::Bytes) {
        if let Err(e) = self
            .demuxer
            .push(kind, timestamp_ms, body, &mut self.events)
        {
            self.meter.complain(causes(&e));
        }
        while let Some(event) = self.events.pop() {
            match event {
                Event::Track(info) => self.meter.track(*info),
                Event::Frame(frame) => self.meter.frame(&frame),
                Event::Metadata(metadata) => self.metadata = Some(*metadata),
                _ => {}
            }
        }
    }

    pub(super) fn finish(self, mut report: ProbeReport) -> ProbeReport {
        report.dropped_before_config = self.demuxer.dropped();
        report.clock_wraps = self.demuxer.clock_wraps();
        if let Some(metadata) = self.metadata {
            report.set_metadata(&metadata);
        }
        self.meter.finish(report)
    }
}

impl Container {
    /// Tells by the first bytes what it is.
    pub(super) fn open(head: &[u8], is_live: bool) -> Result<Self> {
        let limits = Limits::default();
        let boxes: [&[u8; 4]; 6] = [b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"free"];
        let is_mp4 = head
            .get(4..8)
            .is_some_and(|kind| boxes.iter().any(|b| *b == kind));
        let format = if head.is_empty() {
            return Err(Error::Empty);
        } else if is_mp4 {
            Format::Mp4(Reader::new(&limits))
        } else if head.first() == Some(&0x47) {
            return Err(Error::Media("MPEG-TS is not read here".to_owned()));
        } else {
            // A recording that was cut has no header: the reader looks for tags.
            Format::Flv(FileReader::new(&limits))
        };
        Ok(Self {
            format,
            is_live,
            is_certain: false,
            bytes: 0,
            media: FlvMedia::new(),
            failed: None,
        })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.failed.is_some() {
            return;
        }
        let result = match &mut self.format {
            Format::Flv(reader) => {
                reader.push(bytes);
                read_flv(reader, &mut self.media, &mut self.is_certain)
            }
            Format::Mp4(reader) => {
                reader.push(bytes);
                read_mp4(reader, &mut Some(0), &mut self.media.meter)
            }
        };
        self.failed = result.err();
    }

    pub(super) fn finish(mut self, source: &str) -> Result<ProbeReport> {
        let format = match (&self.format, self.is_live) {
            (Format::Flv(_), false) => "flv",
            (Format::Flv(_), true) => "http-flv",
            (Format::Mp4(_), _) => "fmp4",
        };
        if let (Format::Flv(reader), None) = (&mut self.format, &self.failed) {
            // A live stream is left in the middle of a tag, and that is no damage. Something else, such as a page that
            // a server sends in its place, is.
            if !self.is_live || !self.is_certain {
                reader.finish();
            }
            self.failed = read_flv(reader, &mut self.media, &mut self.is_certain).err();
        }
        if let Some(e) = self.failed.take() {
            if self.media.meter.is_empty() {
                return Err(e);
            }
            self.media.meter.complain(causes(&e));
        }
        let mut report = ProbeReport::new(source, format);
        report.is_live = self.is_live;
        report.bytes = self.bytes;
        Ok(self.media.finish(report))
    }
}

fn read_flv(reader: &mut FileReader, media: &mut FlvMedia, is_certain: &mut bool) -> Result<()> {
    while let Some(event) = reader.next_event()? {
        *is_certain |= matches!(event, FileEvent::Tag { .. } | FileEvent::Header { .. });
        match event {
            FileEvent::Tag {
                kind,
                timestamp_ms,
                body,
                ..
            } => media.push(kind, timestamp_ms, body),
            FileEvent::Damage(d) => media.meter.damage(damage(d)),
            _ => {}
        }
    }
    Ok(())
}

/// Frames of fragmented MP4 into the meter. `shift` is added to the ids of the tracks; it is chosen at the first movie.
pub(super) fn read_mp4(
    reader: &mut Reader,
    shift: &mut Option<u16>,
    meter: &mut Meter,
) -> Result<()> {
    let moved = |id: TrackId, by: u16| TrackId(id.0.saturating_add(by));
    loop {
        match reader
            .next_event()
            .map_err(|e| Error::Media(e.to_string()))?
        {
            Some(Mp4Event::Movie(movie)) => {
                let infos = || movie.tracks.iter().filter_map(|t| t.info.as_ref());
                let by = *shift.get_or_insert_with(|| meter.shift_for(infos().map(|i| i.id)));
                for track in &movie.tracks {
                    match &track.info {
                        Some(info) => {
                            let mut info = info.clone();
                            info.id = moved(info.id, by);
                            meter.track(info);
                        }
                        None => meter.complain(format!(
                            "track {} is of a codec that is not known: {}",
                            track.mp4_id,
                            track.fourcc.escape_ascii()
                        )),
                    }
                }
            }
            Some(Mp4Event::Frame(mut frame)) => {
                frame.track = moved(frame.track, shift.unwrap_or(0));
                meter.frame(&frame);
            }
            Some(_) => {}
            None => return Ok(()),
        }
    }
}
