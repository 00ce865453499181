//! HMAC-SHA256 in lower-case hex, with a secret that cannot be printed.

use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// An API key and its secret. `Debug` shows neither, and there is no `Display`.
#[derive(Clone)]
pub struct Credentials {
    /// The key's public part, sent with every private request.
    pub key: String,
    secret: String,
}

impl Credentials {
    /// Keeps both parts.
    pub fn new(key: String, secret: String) -> Credentials {
        Credentials { key, secret }
    }

    /// A text from outside in which neither part can be read.
    pub fn redact(&self, text: &str) -> String {
        text.replace(&self.secret, "***").replace(&self.key, "***")
    }

    /// Lower-case hex of HMAC-SHA256 over `message` under the secret.
    pub fn sign(&self, message: &str) -> String {
        // A key of any length is valid for HMAC; an empty signature would be refused by the exchange.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()) else { return String::new() };
        mac.update(message.as_bytes());
        base16ct::lower::encode_string(&mac.finalize().into_bytes())
    }

    /// Crypto.com Exchange v1: `method + id + api_key + params + nonce`, where `params` is every key followed by its value,
    /// keys ascending (source: the venue's documentation, "Digital Signature"). The caller keeps `params` sorted and flat.
    pub fn sign_crypto_com(&self, method: &str, id: &str, params: &[(&str, &str)], nonce: &str) -> String {
        let mut message = format!("{method}{id}{}", self.key);
        for (key, value) in params {
            message.push_str(key);
            message.push_str(value);
        }
        message.push_str(nonce);
        self.sign(&message)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation's own vector, and two made with other implementations of the same formula.
    #[test]
    fn known_answers() {
        let documented = Credentials::new("token".into(), "secretKey".into());
        let sig = documented.sign_crypto_com(
            "private/get-order-detail",
            "11",
            &[("order_id", "53287421324")],
            "1587846358253",
        );
        assert_eq!(sig, "02ef0a52c9428e5d3dcc5dd24d534ca39ef73f35acd3f6945f139a2364ef67a9");
        let other = Credentials::new("cdc-key-A1b2C3".into(), "cdc-secret-0123456789".into());
        let sig = other.sign_crypto_com("private/user-balance", "1786916800001", &[], "1786916800001");
        assert_eq!(sig, "2acbabe17dbae84fd85cc1f037cb489b0f2eac49a519b8ee201d765e03037c48");
        let params = [
            ("broker_id", "CCXT"),
            ("client_oid", "rb-20261122-0002"),
            ("exec_inst", "POST_ONLY"),
            ("instrument_name", "BTC_USD"),
            ("price", "70000"),
            ("quantity", "0.00079"),
            ("side", "SELL"),
            ("spot_margin", "SPOT"),
            ("time_in_force", "GOOD_TILL_CANCEL"),
            ("type", "LIMIT"),
        ];
        let sig = other.sign_crypto_com("private/create-order", "1786916800003", &params, "1786916800003");
        assert_eq!(sig, "8a7e1c60d130585abd8960a77cd750586200a90dbc03b7875542077db4a158f2");
    }

    #[test]
    fn the_secret_cannot_be_printed() {
        let credentials = Credentials::new("the-key".into(), "the-secret".into());
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("secret") && !shown.contains("the-key"));
    }
}
