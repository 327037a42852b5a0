//! Which processes are tracked.

use lttngd_model::{Domain, ErrorCode, ProcessAttribute};
use lttngd_session::{GetInclusionSet, GetTrackingPolicy};
use lttngd_wire::client::{Reply, encode_tracker_values, encode_tracking_policy};

use super::Asking;

impl Asking<'_> {
    /// The domain of a command on trackers: agents have none of their own.
    pub(super) async fn tracked(&self) -> Result<Domain, ErrorCode> {
        match self.domain {
            Some(domain @ (Domain::Kernel | Domain::Ust)) => Ok(domain),
            _ => self.check().await.and(Err(ErrorCode::UnsupportedDomain)),
        }
    }

    pub(super) async fn tracking_policy(
        &self,
        attribute: ProcessAttribute,
    ) -> Result<Reply, ErrorCode> {
        let domain = self.tracked().await?;
        self.told(GetTrackingPolicy { domain, attribute }, encode_tracking_policy).await
    }

    pub(super) async fn inclusion_set(
        &self,
        attribute: ProcessAttribute,
    ) -> Result<Reply, ErrorCode> {
        let domain = self.tracked().await?;
        let encode = |values: Vec<_>| encode_tracker_values(&values);
        self.told(GetInclusionSet { domain, attribute }, encode).await
    }
}
