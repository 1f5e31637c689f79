//! Response bodies: whole texts, and endless ones whose pieces are handed to the socket as they lie in the log.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

/// Pieces that go out together: one HTTP chunk or DATA frame, written with one vectored write. Nothing is copied.
#[derive(Debug, Default)]
pub(crate) struct Run {
    slices: VecDeque<Bytes>,
    remaining: usize,
}

impl Run {
    pub(crate) fn push(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.remaining += slice.len();
            self.slices.push_back(slice);
        }
    }

    /// Keeps the bytes from `from` to before `to`.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        let to = to.min(self.remaining);
        self.advance(from.min(to));
        let mut left = to - from.min(to);
        self.slices.retain_mut(|slice| {
            slice.truncate(left);
            left -= slice.len();
            !slice.is_empty()
        });
        self.remaining = self.slices.iter().map(Bytes::len).sum();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remaining == 0
    }
}

impl From<Bytes> for Run {
    fn from(bytes: Bytes) -> Self {
        let mut run = Self::default();
        run.push(bytes);
        run
    }
}

impl Extend<Bytes> for Run {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, slices: I) {
        slices.into_iter().for_each(|s| self.push(s));
    }
}

impl Buf for Run {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.slices.front().map_or(&[], |s| s.as_ref())
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (place, slice) in dst.iter_mut().zip(&self.slices) {
            *place = IoSlice::new(slice);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut n: usize) {
        debug_assert!(
            n <= self.remaining,
            "the caller advances over what it was given"
        );
        self.remaining = self.remaining.saturating_sub(n);
        while let Some(front) = self.slices.front_mut() {
            if n < front.len() {
                front.advance(n);
                return;
            }
            n -= front.len();
            self.slices.pop_front();
        }
    }
}

/// What an endless body is made of.
pub(crate) trait Source: Send {
    /// The next run; `None` at the end.
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Option<Run>>;
}

/// A response body.
#[derive(Default)]
pub(crate) enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Known in full.
    Full(Bytes),
    /// Known in full, in pieces.
    Pieces(Run),
    /// Ends when the source does.
    Stream(Box<dyn Source>),
}

impl Body {
    /// Its length, when it is known.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Full(bytes) => Some(bytes.len() as u64),
            Self::Pieces(run) => Some(run.remaining as u64),
            Self::Stream(_) => None,
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Full(bytes.into())
    }
}

impl http_body::Body for Body {
    type Data = Run;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Run>, Infallible>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes.into()))))
            }
            Self::Pieces(run) => {
                let run = std::mem::take(run);
                *this = Self::Empty;
                Poll::Ready((!run.is_empty()).then(|| Ok(Frame::data(run))))
            }
            Self::Stream(source) => match source.poll_run(cx) {
                Poll::Ready(Some(run)) => Poll::Ready(Some(Ok(Frame::data(run)))),
                Poll::Ready(None) => {
                    *this = Self::Empty;
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        self.len()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_yields_its_slices_in_order_without_copying() {
        let whole = Bytes::from_static(b"abcdefgh");
        let mut run = Run::default();
        run.extend([
            whole.slice(0..3),
            Bytes::new(),
            whole.slice(3..4),
            whole.slice(4..8),
        ]);
        assert_eq!(run.remaining(), 8);
        assert_eq!(run.chunk().as_ptr(), whole.as_ptr());
        let mut places = [IoSlice::new(&[]), IoSlice::new(&[])];
        assert_eq!(run.chunks_vectored(&mut places), 2);
        assert_eq!((&*places[0], &*places[1]), (&b"abc"[..], &b"d"[..]));
        run.advance(3);
        run.advance(2);
        assert_eq!(run.chunk(), b"fgh");
        run.advance(3);
        assert!(run.is_empty() && run.chunk().is_empty());

        run.extend([whole.slice(0..3), whole.slice(3..4), whole.slice(4..8)]);
        run.cut(2, 6);
        let pieces: Vec<_> = run.slices.iter().map(|s| s.as_ref()).collect();
        assert_eq!((pieces, run.remaining()), (vec![&b"c"[..], b"d", b"ef"], 4));
    }
}
