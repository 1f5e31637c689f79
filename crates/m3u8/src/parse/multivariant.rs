//! Multivariant playlists read (§4.4.6).

use super::attributes::Attributes;
use super::common::{self, Shared};
use super::{Context, Line, Text};
use crate::{
    ClosedCaptions, ContentSteering, Media, MediaType, MultivariantPlaylist, Result, SessionData,
    Variant,
};

pub(super) fn parse(text: &Text<'_>, context: &mut Context<'_>) -> Result<MultivariantPlaylist> {
    let mut list = MultivariantPlaylist::default();
    let mut waiting: Option<Variant> = None;
    text.for_each(context, |context, line| {
        match line {
            Line::Uri(uri) => match waiting.take() {
                Some(mut variant) => {
                    variant.uri = context.expand(uri)?.into_owned();
                    list.variants.push(variant);
                }
                None => context.broken("a URI follows its EXT-X-STREAM-INF (§4.4.6.2)")?,
            },
            Line::Tag { name, value, line } => {
                if waiting.is_some() {
                    context.broken("EXT-X-STREAM-INF is followed by its URI (§4.4.6.2)")?;
                }
                tag(
                    context,
                    &mut list,
                    &mut waiting,
                    name,
                    value.unwrap_or(""),
                    line,
                )?;
            }
        }
        Ok(())
    })?;
    if waiting.is_some() {
        context.broken("EXT-X-STREAM-INF is followed by its URI (§4.4.6.2)")?;
    }
    if list.version.unwrap_or(1) < list.required_version() {
        context.broken("EXT-X-VERSION is lower than the tags need (§8)")?;
    }
    Ok(list)
}

fn tag(
    context: &mut Context<'_>,
    list: &mut MultivariantPlaylist,
    waiting: &mut Option<Variant>,
    name: &str,
    value: &str,
    line: &str,
) -> Result<()> {
    match name {
        "EXT-X-STREAM-INF" => {
            context.item()?;
            *waiting = Some(variant(context, value, false)?);
        }
        "EXT-X-I-FRAME-STREAM-INF" => {
            context.item()?;
            list.i_frame_variants.push(variant(context, value, true)?);
        }
        "EXT-X-MEDIA" => {
            context.item()?;
            list.media.extend(media(context, value)?);
        }
        "EXT-X-SESSION-DATA" => {
            context.item()?;
            list.session_data.push(session_data(context, value)?);
        }
        "EXT-X-SESSION-KEY" => {
            context.item()?;
            match common::key(context, value)? {
                Some(key) => list.session_keys.push(key),
                None => context.broken("METHOD of EXT-X-SESSION-KEY is not NONE (§4.4.6.5)")?,
            }
        }
        "EXT-X-CONTENT-STEERING" => {
            let mut a = Attributes::parse(context, value)?;
            let rule = "EXT-X-CONTENT-STEERING needs SERVER-URI (§4.4.6.6)";
            list.content_steering = Some(ContentSteering {
                server_uri: a.required(context, "SERVER-URI", rule)?,
                pathway_id: a.quoted(context, "PATHWAY-ID")?,
            });
        }
        _ => match common::shared(context, name, value)? {
            Shared::Version(version) => list.version = version.or(list.version),
            Shared::IndependentSegments => list.independent_segments = true,
            Shared::Start(start) => list.start = start.or(list.start),
            Shared::Define(define) => list.defines.extend(define),
            Shared::Other if is_media_only(name) => {
                context.broken("a multivariant playlist has no media playlist tags (§4.4.6)")?;
            }
            Shared::Other => {
                context.item()?;
                list.unknown.push(line.to_owned());
            }
        },
    }
    Ok(())
}

fn is_media_only(name: &str) -> bool {
    matches!(
        name,
        "EXTINF"
            | "EXT-X-TARGETDURATION"
            | "EXT-X-MEDIA-SEQUENCE"
            | "EXT-X-DISCONTINUITY-SEQUENCE"
            | "EXT-X-DISCONTINUITY"
            | "EXT-X-ENDLIST"
            | "EXT-X-PLAYLIST-TYPE"
            | "EXT-X-KEY"
            | "EXT-X-MAP"
            | "EXT-X-BYTERANGE"
            | "EXT-X-PART-INF"
            | "EXT-X-PART"
    )
}

/// `EXT-X-STREAM-INF` (§4.4.6.2), `EXT-X-I-FRAME-STREAM-INF` (§4.4.6.3).
fn variant(context: &mut Context<'_>, value: &str, i_frames: bool) -> Result<Variant> {
    let mut a = Attributes::parse(context, value)?;
    let owned = |k: Option<&str>| k.map(str::to_owned);
    let mut v = Variant::default();
    match a.integer(context, "BANDWIDTH")? {
        Some(bandwidth) => v.bandwidth = bandwidth,
        None => context.broken("a variant needs BANDWIDTH (§4.4.6.2)")?,
    }
    v.average_bandwidth = a.integer(context, "AVERAGE-BANDWIDTH")?;
    v.score = a.number(context, "SCORE")?;
    v.codecs = a.quoted(context, "CODECS")?;
    v.supplemental_codecs = a.quoted(context, "SUPPLEMENTAL-CODECS")?;
    v.resolution = a.resolution(context, "RESOLUTION")?;
    v.hdcp_level = owned(a.keyword(context, "HDCP-LEVEL")?);
    v.allowed_cpc = a.quoted(context, "ALLOWED-CPC")?;
    v.video_range = owned(a.keyword(context, "VIDEO-RANGE")?);
    v.req_video_layout = a.quoted(context, "REQ-VIDEO-LAYOUT")?;
    v.stable_variant_id = a.quoted(context, "STABLE-VARIANT-ID")?;
    v.video = a.quoted(context, "VIDEO")?;
    v.pathway_id = a.quoted(context, "PATHWAY-ID")?;
    v.name = a.quoted(context, "NAME")?;
    if i_frames {
        let rule = "EXT-X-I-FRAME-STREAM-INF needs URI (§4.4.6.3)";
        v.uri = a.required(context, "URI", rule)?;
    } else {
        v.frame_rate = a.number(context, "FRAME-RATE")?;
        v.audio = a.quoted(context, "AUDIO")?;
        v.subtitles = a.quoted(context, "SUBTITLES")?;
        v.closed_captions = a.captions(context)?;
    }
    v.extra = a.rest(context)?;
    Ok(v)
}

/// `EXT-X-MEDIA` (§4.4.6.1). `None` for a TYPE that does not exist.
fn media(context: &mut Context<'_>, value: &str) -> Result<Option<Media>> {
    let mut a = Attributes::parse(context, value)?;
    let kind = match a.keyword(context, "TYPE")? {
        Some("AUDIO") => MediaType::Audio,
        Some("VIDEO") => MediaType::Video,
        Some("SUBTITLES") => MediaType::Subtitles,
        Some("CLOSED-CAPTIONS") => MediaType::ClosedCaptions,
        _ => {
            context.broken("TYPE is AUDIO, VIDEO, SUBTITLES or CLOSED-CAPTIONS (§4.4.6.1)")?;
            return Ok(None);
        }
    };
    let group = a.required(context, "GROUP-ID", "EXT-X-MEDIA needs GROUP-ID (§4.4.6.1)")?;
    let name = a.required(context, "NAME", "EXT-X-MEDIA needs NAME (§4.4.6.1)")?;
    let mut m = Media::new(kind, group, name);
    m.uri = a.quoted(context, "URI")?;
    m.language = a.quoted(context, "LANGUAGE")?;
    m.assoc_language = a.quoted(context, "ASSOC-LANGUAGE")?;
    m.stable_rendition_id = a.quoted(context, "STABLE-RENDITION-ID")?;
    m.default = a.yes(context, "DEFAULT")?;
    m.autoselect = a.yes(context, "AUTOSELECT")?;
    m.forced = a.yes(context, "FORCED")?;
    m.instream_id = a.quoted(context, "INSTREAM-ID")?;
    m.bit_depth = a.integer(context, "BIT-DEPTH")?;
    m.sample_rate = a.integer(context, "SAMPLE-RATE")?;
    m.characteristics = a.quoted(context, "CHARACTERISTICS")?;
    m.channels = a.quoted(context, "CHANNELS")?;
    m.extra = a.rest(context)?;
    match kind {
        MediaType::Subtitles if m.uri.is_none() => {
            context.broken("subtitles have a URI (§4.4.6.1)")?;
        }
        MediaType::ClosedCaptions if m.uri.is_some() => {
            context.broken("closed captions have no URI (§4.4.6.1)")?;
        }
        _ => {}
    }
    Ok(Some(m))
}

/// `EXT-X-SESSION-DATA` (§4.4.6.4).
fn session_data(context: &mut Context<'_>, value: &str) -> Result<SessionData> {
    let mut a = Attributes::parse(context, value)?;
    let rule = "EXT-X-SESSION-DATA needs DATA-ID (§4.4.6.4)";
    let data = SessionData {
        data_id: a.required(context, "DATA-ID", rule)?,
        value: a.quoted(context, "VALUE")?,
        uri: a.quoted(context, "URI")?,
        format: a.keyword(context, "FORMAT")?.map(str::to_owned),
        language: a.quoted(context, "LANGUAGE")?,
    };
    if data.value.is_some() == data.uri.is_some() {
        context.broken("EXT-X-SESSION-DATA has either VALUE or URI (§4.4.6.4)")?;
    }
    Ok(data)
}

impl Attributes<'_> {
    /// CLOSED-CAPTIONS: a quoted group, or the bare word NONE.
    fn captions(&mut self, context: &mut Context<'_>) -> Result<Option<ClosedCaptions>> {
        if self.is_bare("CLOSED-CAPTIONS", "NONE") {
            self.keyword(context, "CLOSED-CAPTIONS")?;
            return Ok(Some(ClosedCaptions::None));
        }
        Ok(self
            .quoted(context, "CLOSED-CAPTIONS")?
            .map(ClosedCaptions::Group))
    }
}
