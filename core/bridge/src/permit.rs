//! What a capability permits: the one place that knows how a declaration is enforced.
//!
//! [`layers::Check`](crate::layers::Check) asks these before a bridge sees anything; a bridge that is used
//! bare asks them itself.

use crate::{
    BridgeError, Capability, Class, Delivery, ErrorKind, Fetch, Key, Keys, Locator, Lookup, Place, Record,
    RingTarget, Wake, Watch, Writers,
};

/// The longest ring target, in bytes: longer than any account name that we know of.
const MAX_RING_TARGET: usize = 1024;

impl Capability {
    /// Whether this record may be published.
    ///
    /// *Errors*: `Refused` for a class that is not declared, a key that the class does not have, a public name that
    /// breaks its rule, more bytes than declared.
    pub fn permit_publish(&self, record: &Record) -> Result<(), BridgeError> {
        let Some(limits) = self.class(record.class) else {
            return Err(refused(format!("this bridge carries no {} records", record.class)));
        };
        permit_key(&record.key)?;
        if matches!(record.key, Key::Name(_)) && record.class != Class::Pointer {
            return Err(refused(format!(
                "a {} record has a slot, not a public name: names are for pointers",
                record.class
            )));
        }
        if record.bytes.len() > limits.max_record {
            return Err(refused(format!(
                "a {} record of {} bytes is larger than the {} that this bridge carries",
                record.class,
                record.bytes.len(),
                limits.max_record
            )));
        }
        Ok(())
    }

    /// Whether a bridge with these locators of its own may be asked for this.
    ///
    /// *Errors*: `Unsupported` for what is not declared, `Refused` for too many keys, bad names, a limit of zero.
    pub fn permit_fetch(&self, request: &Fetch, own: &[Locator]) -> Result<(), BridgeError> {
        if request.limit == 0 {
            return Err(refused("a fetch of at most zero records asks for nothing"));
        }
        self.permit_place(&request.place, own)?;
        self.permit_keys(&request.keys)
    }

    /// Whether a bridge with these locators of its own may watch this.
    ///
    /// *Errors*: `Unsupported` for what is not declared, `Refused` for too many keys or bad names.
    pub fn permit_watch(&self, request: &Watch, own: &[Locator]) -> Result<(), BridgeError> {
        if !matches!(self.delivery, Delivery::Push { .. }) {
            return Err(BridgeError::unsupported("this bridge is polled: it has nothing to watch"));
        }
        self.permit_place(&request.place, own)?;
        self.permit_keys(&request.keys)
    }

    /// Whether anything can be retracted. Which class a receipt belongs to, the bridge alone knows.
    ///
    /// *Errors*: `Unsupported` where no class declares it.
    pub fn permit_retract(&self) -> Result<(), BridgeError> {
        match self.classes.values().any(|class| class.retract) {
            true => Ok(()),
            false => Err(BridgeError::unsupported("this bridge cannot take records back")),
        }
    }

    /// Whether this target may be rung.
    ///
    /// *Errors*: `Unsupported` where the bridge does not ring, `Refused` for a target that cannot be one.
    pub fn permit_ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        if self.wake != Wake::Rings {
            return Err(BridgeError::unsupported("this bridge cannot make a device notice"));
        }
        let name = &target.0;
        if name.is_empty() || name.len() > MAX_RING_TARGET || name.contains(char::is_control) {
            return Err(refused("this is nobody who could be rung"));
        }
        Ok(())
    }

    fn permit_place(&self, place: &Place, own: &[Locator]) -> Result<(), BridgeError> {
        match place {
            Place::Of(locator) if self.writers == Writers::Shared && !own.contains(locator) => {
                Err(BridgeError::unsupported("everybody writes in one place here: there is no other to read"))
            }
            Place::Own | Place::Of(_) => Ok(()),
        }
    }

    fn permit_keys(&self, keys: &Keys) -> Result<(), BridgeError> {
        match keys {
            Keys::All if self.lookup == Lookup::Key => {
                Err(BridgeError::unsupported("this place cannot be listed: name the keys"))
            }
            Keys::All => Ok(()),
            Keys::These(keys) => {
                if let Some(most) = self.max_keys.filter(|most| keys.len() > *most) {
                    return Err(refused(format!("{} keys are more than {most}", keys.len())));
                }
                keys.iter().try_for_each(permit_key)
            }
        }
    }
}

fn permit_key(key: &Key) -> Result<(), BridgeError> {
    match key {
        Key::Name(name) if Key::name(name).is_none() => {
            Err(refused("this public name breaks the rule of names"))
        }
        Key::Name(_) | Key::Slot(_) => Ok(()),
    }
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> BridgeError {
    BridgeError::new(ErrorKind::Refused, message)
}
