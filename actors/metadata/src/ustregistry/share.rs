//! Where a registry has what it holds.

use std::sync::Arc;

use lttngd_model::Field;

use super::{Enumeration, EventRegistration, RegistryError};

/// Where a registry has what it holds: for itself, or together with registries that hold the same.
pub trait Share {
    /// Holds what one more event is.
    ///
    /// # Errors
    /// [`RegistryError::NoRoom`].
    fn event(&mut self, event: EventRegistration) -> Result<Arc<EventRegistration>, RegistryError>;

    /// Holds the text of one more event.
    ///
    /// # Errors
    /// [`RegistryError::NoRoom`].
    fn text(&mut self, text: String) -> Result<Arc<str>, RegistryError>;

    /// Holds what one more enumeration is.
    ///
    /// # Errors
    /// [`RegistryError::NoRoom`].
    fn enumeration(&mut self, known: Enumeration) -> Result<Arc<Enumeration>, RegistryError>;

    /// The registry holds the context of one more channel.
    ///
    /// # Errors
    /// [`RegistryError::NoRoom`].
    fn context(&mut self, context: &[Field]) -> Result<(), RegistryError>;
}

/// Holds all for itself, as much as there may be of one trace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Share for Alone {
    fn event(&mut self, event: EventRegistration) -> Result<Arc<EventRegistration>, RegistryError> {
        Ok(Arc::new(event))
    }

    fn text(&mut self, text: String) -> Result<Arc<str>, RegistryError> {
        Ok(text.into())
    }

    fn enumeration(&mut self, known: Enumeration) -> Result<Arc<Enumeration>, RegistryError> {
        Ok(Arc::new(known))
    }

    fn context(&mut self, _: &[Field]) -> Result<(), RegistryError> {
        Ok(())
    }
}
