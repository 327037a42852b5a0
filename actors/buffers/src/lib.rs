
pub mod tsdl;
pub mod ustregistry;
