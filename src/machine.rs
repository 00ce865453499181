//! What the program needs of the machine it runs on, passed in: a clock, a disk and a wire. A simulation owns all three.

use crate::clock::Clock;
use crate::disk::{Disk, SystemDisk};
use crate::wire::{Internet, Wire};

/// A machine.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Files.
    pub disk: &'a dyn Disk,
    /// The network.
    pub wire: &'a dyn Wire,
}

impl<'a> Machine<'a> {
    /// This machine, its disk and its network, with any clock.
    pub fn this(clock: &'a dyn Clock) -> Machine<'a> {
        Machine { clock, disk: &SystemDisk, wire: &Internet }
    }
}
