//! What one customer is about to buy.

use axum::http::StatusCode;
use serde::Serialize;

use crate::catalogue::Product;
use crate::refusal::Refusal;

/// A basket holds so many different products,
const LINES_MAX: usize = 50;
/// and so many of each.
const QUANTITY_MAX: u64 = 100;

/// A basket as it is shown, too.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Basket {
    items: Vec<Line>,
    /// In cents.
    total: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Line {
    product_id: u64,
    quantity: u64,
    price: u64,
}

impl Basket {
    /// Puts some of a product in, beside what is there of it.
    pub(crate) fn add(&mut self, product: &Product, quantity: u64) -> Result<(), Refusal> {
        let lines = self.items.len();
        let line = self.items.iter_mut().find(|line| line.product_id == product.id);
        let before = line.as_ref().map_or(0, |line| line.quantity);
        if quantity == 0 || quantity.saturating_add(before) > QUANTITY_MAX {
            let reason = format!("a basket has from 1 to {QUANTITY_MAX} of each product");
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
        }
        match line {
            Some(line) => line.quantity += quantity,
            None if lines < LINES_MAX => {
                self.items.push(Line { product_id: product.id, quantity, price: product.price });
            }
            None => {
                let reason = format!("the basket is full: it has {LINES_MAX} products");
                return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
            }
        }
        self.total += quantity * product.price;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::product;

    #[test]
    fn a_basket_is_bounded_and_a_refused_product_leaves_it_as_it_was() {
        let mut basket = Basket::default();
        let mut add = |id, quantity| basket.add(&product(id).unwrap(), quantity).map_err(|_| "refused");
        assert_eq!(add(1, 0), Err("refused"));
        assert_eq!(add(1, 60), Ok(()));
        assert_eq!(add(1, 41), Err("refused"));
        assert_eq!(add(1, u64::MAX), Err("refused"));
        assert_eq!(add(1, 40), Ok(()));
        for id in 2..=LINES_MAX as u64 {
            assert_eq!(add(id, 1), Ok(()), "{id}");
        }
        assert_eq!(add(200, 1), Err("refused"));
        let total: u64 = (1..=LINES_MAX as u64).map(|id| product(id).unwrap().price).sum();
        assert_eq!(basket.total, total + 99 * product(1).unwrap().price);
    }
}
