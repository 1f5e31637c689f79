//! The state of one chunk stream.

/// Below this many payload bytes a chunk counts as tiny.
pub(super) const TINY: usize = 64;

/// What a chunk stream remembers from one header to the next.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) timestamp: u32,
    /// What a type 3 header adds when it begins a message: the last delta, or the time stamp of a type 0 (§5.3.1.2.4).
    pub(super) delta: u32,
    pub(super) length: usize,
    pub(super) type_id: u8,
    pub(super) message_stream: u32,
    /// The extended time stamp as sent, when the last header had one.
    pub(super) extended: Option<u32>,
    pub(super) body: Vec<u8>,
    /// A message has begun and is not complete.
    pub(super) open: bool,
}

impl Stream {
    /// The copy for a message in several pieces. Room grows with what the peer has really sent (`at_hand` bytes are there),
    /// never with what it declares.
    pub(super) fn gather(&mut self, piece: &[u8], at_hand: usize) {
        let have = self.body.len();
        if self.body.capacity().saturating_sub(have) < piece.len() {
            let grow = piece.len().max(have).max(at_hand.min(1 << 16));
            let most = self.length.saturating_sub(have);
            self.body.reserve_exact(grow.min(most));
        }
        self.body.extend_from_slice(piece);
    }

    /// The usual way on inside a message, chunk after chunk of the same stream behind one-byte headers, without the
    /// general parser: senders with small chunks spend most of their bytes here. Takes whole chunks only and returns the
    /// bytes and the tiny chunks that it took.
    pub(super) fn plain_chunks(&mut self, chunk_size: usize, input: &mut &[u8]) -> (usize, u32) {
        let marker = match (self.id, self.extended) {
            (id @ 2..=63, None) => 0xC0 | id as u8,
            _ => return (0, 0),
        };
        let (mut bytes, mut tiny) = (0_usize, 0_u32);
        while let Some((&first, rest)) = input.split_first() {
            let size = chunk_size.min(self.length.saturating_sub(self.body.len()));
            if first != marker || size == 0 || rest.len() < size {
                break;
            }
            let (piece, later) = rest.split_at(size);
            self.gather(piece, input.len());
            bytes = bytes.saturating_add(size);
            tiny = tiny.saturating_add(u32::from(size < TINY));
            *input = later;
        }
        (bytes, tiny)
    }
}
