//! From an entry of a source to a coin of the exchange, or the reason why it is none.
//!
//! A symbol alone does not name a coin: sources list thousands, and new ones take the symbols of old ones. Known coins are known by
//! the source's id; any other coin counts by its symbol as long as nobody else on the list has it. Stablecoins, and coins that stand
//! for another one (wrapped, bridged, staked), would hold the same thing twice, or nothing.

use super::source::Entry;
use crate::market::Coin;

/// Coins as they trade at the exchange, with the id that the source (CoinGecko, 2026) has for them: large ones, whose symbols are
/// copied most, and those that trade under another name or share a symbol. No other id is believed to be one of them.
const KNOWN: &str = "\
1INCH 1inch\nAAVE aave\nADA cardano\nAERO aerodrome-finance\nALGO algorand\nAPE apecoin\nAPT aptos\nARB arbitrum\nATOM cosmos\n\
AVAX avalanche-2\nBCH bitcoin-cash\nBEAMX beam-2\nBONK bonk\nBTC bitcoin\nCHZ chiliz\nCOMP compound-governance-token\n\
CRO crypto-com-chain\nCRV curve-dao-token\nCVX convex-finance\nDOGE dogecoin\nDOT polkadot\nDYDX dydx-chain\nEGLD elrond-erd-2\n\
EIGEN eigenlayer\nENA ethena\nENS ethereum-name-service\nETC ethereum-classic\nETH ethereum\nETHFI ether-fi\nETHW ethereum-pow-iou\n\
FET fetch-ai\nFIL filecoin\nFLOKI floki\nGALA gala\nGRT the-graph\nHBAR hedera-hashgraph\nHYPE hyperliquid\nICP internet-computer\n\
IMX immutable-x\nINJ injective-protocol\nJTO jito-governance-token\nJUP jupiter-exchange-solana\nLDO lido-dao\nLINK chainlink\n\
LTC litecoin\nLUNA2 terra-luna-2\nLUNC terra-luna\nMANA decentraland\nMORPHO morpho\nNEAR near\nONDO ondo-finance\nOP optimism\n\
PENDLE pendle\nPEPE pepe\nPOL polygon-ecosystem-token\nPYTH pyth-network\nQNT quant-network\nRAY raydium\nRENDER render-token\n\
RUNE thorchain\nS sonic-3\nSAND the-sandbox\nSEI sei-network\nSHIB shiba-inu\nSKY sky\nSNX havven\nSOL solana\nSTX blockstack\n\
SUI sui\nSUSHI sushi\nTAO bittensor\nTIA celestia\nTRUMP official-trump\nUNI uniswap\nVELO velo\nVELODROME velodrome-finance\n\
VET vechain\nW wormhole\nWIF dogwifcoin\nWLD worldcoin-wld\nXLM stellar\nXRP ripple\nXTZ tezos\nYFI yearn-finance\nZRX 0x";

/// Stablecoins whose names hold neither USD nor EUR.
const STABLE: &str = "DAI SDAI XDAI FRAX GHO MIM DOLA UST USTC USAT BEAN FEI RAI XSGD GYEN GBPT TGBP TRYB BRZ BRLA IDRT CADC QCAD ZCHF AUDD MXNT";

/// Coins that stand for another one and whose ids do not say so.
const DOUBLES: &str = "\
WBTC CBBTC BTCB TBTC LBTC FBTC SOLVBTC HBTC RENBTC UBTC WETH STETH WSTETH WEETH EETH RETH CBETH WBETH METH CMETH EZETH RSETH OSETH \
FRXETH SFRXETH SWETH LSETH ANKRETH ETHX PUFETH CDCETH BETH WBNB SLISBNB JITOSOL MSOL BNSOL JUPSOL CDCSOL STSOL INF WSOL LCRO CDCBTC \
WAVAX SAVAX WPOL STMATIC STATOM STKAAVE XSUSHI WTRX STRX KHYPE WHYPE STHYPE";

/// What the ids of such coins hold.
const DOUBLE_IDS: [&str; 5] = ["wrapped", "bridged", "staked", "-peg-", "liquid-staking"];

fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.lines().filter_map(|line| line.split_once(' '))
}

fn has(list: &str, coin: &str) -> bool {
    list.split(' ').any(|other| other == coin)
}

/// The name of an entry's coin at the exchange, whether it trades there or not.
///
/// # Errors
/// Why it is no coin that could be traded.
pub fn coin(entry: &Entry) -> Result<Coin, String> {
    let Entry { id, symbol, .. } = entry;
    if let Some((coin, _)) = known().find(|(_, known)| known == id) {
        return Ok(coin.to_string());
    }
    // Without an id the source names coins as the exchange does.
    if let Some((_, known)) = known().find(|(coin, _)| !id.is_empty() && coin == symbol) {
        return Err(format!("it is not the coin that trades as {symbol}, which is {known}"));
    }
    match crate::config::is_coin(symbol) {
        true => Ok(symbol.clone()),
        false => Err("no coin of the exchange has such a name".to_string()),
    }
}

/// Whether a name of the owner's, a coin in letters of any size or a source's id, means this coin.
pub fn named(names: &[String], coin: &str, id: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(coin) || !id.is_empty() && name == id)
}

/// Why a coin is left out of every list unless the owner names it.
pub fn double(coin: &str, entry: &Entry) -> Option<String> {
    if coin.contains("USD") || coin.contains("EUR") || has(STABLE, coin) {
        return Some("a stablecoin; include it by name to have it".to_string());
    }
    let told =
        DOUBLE_IDS.iter().any(|part| entry.id.contains(part)) || entry.symbol != coin && has(DOUBLES, &entry.symbol);
    (told || has(DOUBLES, coin))
        .then(|| "it stands for another coin (wrapped or staked); include it by name to have it".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, symbol: &str) -> Entry {
        Entry { id: id.to_string(), symbol: symbol.to_string(), size: None }
    }

    #[test]
    fn known_coins_are_known_by_their_id_and_nothing_else_has_their_name() {
        assert_eq!(coin(&entry("terra-luna-2", "LUNA")), Ok("LUNA2".to_string()));
        assert_eq!(coin(&entry("terra-luna", "LUNC")), Ok("LUNC".to_string()));
        assert_eq!(coin(&entry("velodrome-finance", "VELO")), Ok("VELODROME".to_string()));
        assert_eq!(coin(&entry("uniswap", "UNI")), Ok("UNI".to_string()));
        assert!(coin(&entry("unicorn-token", "UNI")).is_err_and(|why| why.contains("uniswap")));
        assert_eq!(coin(&entry("some-coin", "SOME")), Ok("SOME".to_string()));
        assert_eq!(coin(&entry("", "UNI")), Ok("UNI".to_string()));
        for symbol in ["", "FIL.E", "A-B", "<HTML>", "ÄTHER", "ABCDEFGHIJKLMNOPQRSTU"] {
            assert!(coin(&entry("x", symbol)).is_err(), "{symbol}");
        }
    }

    #[test]
    fn the_table_names_each_coin_and_each_id_once() {
        let mut coins: Vec<&str> = known().map(|(coin, _)| coin).collect();
        let mut ids: Vec<&str> = known().map(|(_, id)| id).collect();
        assert_eq!(coins.len(), KNOWN.lines().count());
        for names in [&mut coins, &mut ids] {
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count);
        }
        assert!(coins.iter().all(|coin| crate::config::is_coin(coin)));
    }

    #[test]
    fn stablecoins_and_doubles_are_told_from_coins() {
        let told = |id: &str, symbol: &str| {
            let entry = entry(id, symbol);
            coin(&entry).map(|coin| double(&coin, &entry).is_some())
        };
        for (id, symbol) in [
            ("tether", "USDT"),
            ("usd-coin", "USDC"),
            ("dai", "DAI"),
            ("ethena-usde", "USDE"),
            ("euro-coin", "EURC"),
            ("wrapped-bitcoin", "WBTC"),
            ("wrapped-solana", "XYZ"),
            ("binance-peg-dogecoin", "ABC"),
            ("staked-ether", "STETH"),
            ("rocket-pool-eth", "RETH"),
            ("", "CDCETH"),
            ("", "USDC"),
        ] {
            assert_eq!(told(id, symbol), Ok(true), "{id} {symbol}");
        }
        for (id, symbol) in [
            ("bitcoin", "BTC"),
            ("ethereum", "ETH"),
            ("uniswap", "UNI"),
            ("lido-dao", "LDO"),
            ("wormhole", "W"),
            ("worldcoin-wld", "WLD"),
            ("dogwifcoin", "WIF"),
            ("ether-fi", "ETHFI"),
            ("", "SOL"),
        ] {
            assert_eq!(told(id, symbol), Ok(false), "{id} {symbol}");
        }
    }
}
