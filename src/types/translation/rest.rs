//! A cursor over bytes that are rewritten where they lie. It never leaves them.

use super::Untranslatable;

/// What is left of a value, or of a message. Each step fails with [`Untranslatable::Broken`] where the bytes are too few.
pub struct Rest<'a>(&'a mut [u8]);

impl<'a> Rest<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, bytes: usize) -> Result<&'a mut [u8], Untranslatable> {
        let all = std::mem::take(&mut self.0);
        let (head, tail) = all
            .split_at_mut_checked(bytes)
            .ok_or(Untranslatable::Broken)?;
        self.0 = tail;
        Ok(head)
    }

    /// A count of two bytes, unsigned as PostgreSQL reads it.
    pub fn short(&mut self) -> Result<u16, Untranslatable> {
        let short = self.take(2)?.first_chunk();
        Ok(u16::from_be_bytes(*short.ok_or(Untranslatable::Broken)?))
    }

    fn word(&mut self) -> Result<i32, Untranslatable> {
        let word = self.take(4)?.first_chunk();
        Ok(i32::from_be_bytes(*word.ok_or(Untranslatable::Broken)?))
    }

    /// A count of four bytes.
    pub fn count(&mut self) -> Result<usize, Untranslatable> {
        usize::try_from(self.word()?).map_err(|_| Untranslatable::Broken)
    }

    /// A length and as many bytes; `None` for NULL.
    pub fn value(&mut self) -> Result<Option<&'a mut [u8]>, Untranslatable> {
        match self.word()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| Untranslatable::Broken)?;
                self.take(length).map(Some)
            }
        }
    }

    /// A string with the NUL that ends it.
    pub fn string(&mut self) -> Result<&'a mut [u8], Untranslatable> {
        let end = self.0.iter().position(|byte| *byte == 0);
        self.take(end.ok_or(Untranslatable::Broken)? + 1)
    }

    pub fn end(&self) -> Result<(), Untranslatable> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(Untranslatable::Broken),
        }
    }
}
