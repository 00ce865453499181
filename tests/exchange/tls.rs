//! Certificates made for one test: a private authority, and what it or nobody vouches for.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a server shows: its certificate chain, and the key to it.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// A certificate authority that lives as long as the test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "loopback exchange authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("an authority").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// The authority's own certificate, for the client's trust store.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for this host, good today.
    pub fn vouch(&self, host: &str) -> Identity {
        self.sign(leaf(host))
    }

    /// A certificate for this host that ended in 2021.
    pub fn vouch_expired(&self, host: &str) -> Identity {
        let mut params = leaf(host);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A certificate for this host that begins in 2100.
    pub fn vouch_too_early(&self, host: &str) -> Identity {
        let mut params = leaf(host);
        params.not_before = date_time_ymd(2100, 1, 1);
        params.not_after = date_time_ymd(2101, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { chain: vec![certificate.der().clone()], key: key.into() }
    }
}

/// A certificate for this host that nobody but itself vouches for.
pub fn self_signed(host: &str) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let certificate = leaf(host).self_signed(&key).expect("a certificate");
    Identity { chain: vec![certificate.der().clone()], key: key.into() }
}

fn leaf(host: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_string()]).expect("a host name");
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// The server's side of TLS with this identity.
pub fn server(identity: Identity) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .expect("a certificate and its key");
    Arc::new(config)
}
