//! Multivariant playlists as text.

use crate::{ClosedCaptions, Define, Key, Media, MultivariantPlaylist, Start, Variant, Writer};

impl MultivariantPlaylist {
    /// Appends the text to `out`. Parsing it gives this value again.
    pub fn write(&self, out: &mut String) {
        let mut w = Writer::new(out).decimals(0);
        w.tag("EXTM3U");
        if let Some(version) = self.version {
            w.tag_integer("EXT-X-VERSION", u64::from(version));
        }
        if self.independent_segments {
            w.tag("EXT-X-INDEPENDENT-SEGMENTS");
        }
        write_start(&mut w, self.start.as_ref());
        write_defines(&mut w, &self.defines);
        for line in &self.unknown {
            w.line(line);
        }
        if let Some(steering) = &self.content_steering {
            w.attributes("EXT-X-CONTENT-STEERING")
                .quoted("SERVER-URI", &steering.server_uri)
                .maybe_quoted("PATHWAY-ID", steering.pathway_id.as_deref())
                .end();
        }
        for data in &self.session_data {
            let list = w
                .attributes("EXT-X-SESSION-DATA")
                .quoted("DATA-ID", &data.data_id)
                .maybe_quoted("VALUE", data.value.as_deref())
                .maybe_quoted("URI", data.uri.as_deref());
            let list = match &data.format {
                Some(format) => list.keyword("FORMAT", format),
                None => list,
            };
            list.maybe_quoted("LANGUAGE", data.language.as_deref())
                .end();
        }
        for key in &self.session_keys {
            write_key(&mut w, "EXT-X-SESSION-KEY", key);
        }
        for media in &self.media {
            write_media(&mut w, media);
        }
        for variant in &self.variants {
            write_variant(&mut w, "EXT-X-STREAM-INF", variant);
            w.uri(&variant.uri);
        }
        for variant in &self.i_frame_variants {
            write_variant(&mut w, "EXT-X-I-FRAME-STREAM-INF", variant);
        }
    }
}

pub(super) fn write_start(w: &mut Writer<'_>, start: Option<&Start>) {
    if let Some(start) = start {
        w.attributes("EXT-X-START")
            .decimal("TIME-OFFSET", start.time_offset)
            .yes_if("PRECISE", start.precise)
            .end();
    }
}

pub(super) fn write_defines(w: &mut Writer<'_>, defines: &[Define]) {
    for define in defines {
        let list = w.attributes("EXT-X-DEFINE");
        match define {
            Define::Value { name, value } => list.quoted("NAME", name).quoted("VALUE", value),
            Define::Import(name) => list.quoted("IMPORT", name),
            Define::QueryParam(name) => list.quoted("QUERYPARAM", name),
        }
        .end();
    }
}

pub(super) fn write_key(w: &mut Writer<'_>, tag: &str, key: &Key) {
    w.attributes(tag)
        .keyword("METHOD", key.method.as_str())
        .maybe_quoted("URI", key.uri.as_deref())
        .maybe_hex("IV", key.iv.as_ref().map(<[u8; 16]>::as_slice))
        .maybe_quoted("KEYFORMAT", key.key_format.as_deref())
        .maybe_quoted("KEYFORMATVERSIONS", key.key_format_versions.as_deref())
        .end();
}

fn write_media(w: &mut Writer<'_>, media: &Media) {
    w.attributes("EXT-X-MEDIA")
        .keyword("TYPE", media.kind.as_str())
        .quoted("GROUP-ID", &media.group_id)
        .quoted("NAME", &media.name)
        .maybe_quoted("LANGUAGE", media.language.as_deref())
        .maybe_quoted("ASSOC-LANGUAGE", media.assoc_language.as_deref())
        .maybe_quoted("STABLE-RENDITION-ID", media.stable_rendition_id.as_deref())
        .yes_if("DEFAULT", media.default)
        .yes_if("AUTOSELECT", media.autoselect)
        .yes_if("FORCED", media.forced)
        .maybe_quoted("INSTREAM-ID", media.instream_id.as_deref())
        .maybe_integer("BIT-DEPTH", media.bit_depth)
        .maybe_integer("SAMPLE-RATE", media.sample_rate)
        .maybe_quoted("CHARACTERISTICS", media.characteristics.as_deref())
        .maybe_quoted("CHANNELS", media.channels.as_deref())
        .extra(&media.extra)
        .maybe_quoted("URI", media.uri.as_deref())
        .end();
}

fn write_variant(w: &mut Writer<'_>, tag: &str, v: &Variant) {
    let mut list = w
        .attributes(tag)
        .integer("BANDWIDTH", v.bandwidth)
        .maybe_integer("AVERAGE-BANDWIDTH", v.average_bandwidth)
        .maybe_number("SCORE", v.score)
        .maybe_quoted("CODECS", v.codecs.as_deref())
        .maybe_quoted("SUPPLEMENTAL-CODECS", v.supplemental_codecs.as_deref());
    if let Some(size) = v.resolution {
        let mut text = String::new();
        crate::decimal::integer(&mut text, size.width);
        text.push('x');
        crate::decimal::integer(&mut text, size.height);
        list = list.keyword("RESOLUTION", &text);
    }
    list = list.maybe_number("FRAME-RATE", v.frame_rate);
    if let Some(level) = &v.hdcp_level {
        list = list.keyword("HDCP-LEVEL", level);
    }
    list = list.maybe_quoted("ALLOWED-CPC", v.allowed_cpc.as_deref());
    if let Some(range) = &v.video_range {
        list = list.keyword("VIDEO-RANGE", range);
    }
    list = list
        .maybe_quoted("REQ-VIDEO-LAYOUT", v.req_video_layout.as_deref())
        .maybe_quoted("STABLE-VARIANT-ID", v.stable_variant_id.as_deref())
        .maybe_quoted("AUDIO", v.audio.as_deref())
        .maybe_quoted("VIDEO", v.video.as_deref())
        .maybe_quoted("SUBTITLES", v.subtitles.as_deref());
    list = match &v.closed_captions {
        None => list,
        Some(ClosedCaptions::None) => list.keyword("CLOSED-CAPTIONS", "NONE"),
        Some(ClosedCaptions::Group(id)) => list.quoted("CLOSED-CAPTIONS", id),
    };
    list = list
        .maybe_quoted("PATHWAY-ID", v.pathway_id.as_deref())
        .maybe_quoted("NAME", v.name.as_deref())
        .extra(&v.extra);
    // An I-frame variant names its playlist in an attribute, any other on the next line.
    if tag == "EXT-X-I-FRAME-STREAM-INF" {
        list = list.quoted("URI", &v.uri);
    }
    list.end();
}
