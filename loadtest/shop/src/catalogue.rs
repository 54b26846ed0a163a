//! What the shop sells: two hundred products, the same in every shop.

use serde::Serialize;

const COLOURS: [&str; 10] =
    ["red", "blue", "green", "black", "white", "yellow", "brown", "grey", "pink", "purple"];

const THINGS: [&str; 20] = [
    "hat", "shirt", "scarf", "coat", "boots", "socks", "gloves", "belt", "bag", "umbrella", "cup", "lamp",
    "chair", "table", "clock", "vase", "blanket", "basket", "kettle", "pen",
];

/// The products of one page.
const PAGE_SIZE: usize = 20;

/// One product.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Product {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// In cents.
    pub(crate) price: u64,
}

/// One page of what was found.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    products: Vec<Product>,
    page: usize,
    pages: usize,
    total: usize,
}

/// The product with this number, from 1 to 200.
pub(crate) fn product(id: u64) -> Option<Product> {
    let index = usize::try_from(id.checked_sub(1)?).ok()?;
    let thing = THINGS.get(index / COLOURS.len())?;
    let name = format!("{} {thing}", COLOURS[index % COLOURS.len()]);
    Some(Product { id, name, price: 499 + 150 * (id * 37 % 60) })
}

/// The products whose names contain `words`, page by page from 1 on; a page behind the last has none.
pub(crate) fn search(words: &str, page: usize) -> Page {
    let words = words.to_lowercase();
    let found: Vec<Product> =
        (1..).map_while(product).filter(|product| product.name.contains(&words)).collect();
    let (total, pages) = (found.len(), found.len().div_ceil(PAGE_SIZE));
    let before = page.saturating_sub(1).saturating_mul(PAGE_SIZE);
    let products = found.into_iter().skip(before).take(PAGE_SIZE).collect();
    Page { products, page, pages, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_have_numbers_from_1_to_200() {
        assert_eq!([0, 201, u64::MAX].map(product), [None, None, None]);
        let names = [1, 10, 11, 200].map(|id| product(id).unwrap().name);
        assert_eq!(names, ["red hat", "purple hat", "red shirt", "purple pen"]);
    }

    #[test]
    fn a_search_goes_page_by_page_through_what_it_finds() {
        let check = |words: &str, page, ids: &[u64], pages, total| {
            let found = search(words, page);
            let found_ids: Vec<u64> = found.products.iter().map(|product| product.id).collect();
            assert_eq!(
                (found_ids.as_slice(), found.pages, found.total),
                (ids, pages, total),
                "{words} {page}"
            );
        };
        let from = |first: u64| (first..first + 20).collect::<Vec<_>>();
        check("", 1, &from(1), 10, 200);
        check("", 10, &from(181), 10, 200);
        check("", 11, &[], 10, 200);
        check("", usize::MAX, &[], 10, 200);
        check("Red Hat", 1, &[1], 1, 1);
        check("boots", 1, &(41..51).collect::<Vec<_>>(), 1, 10);
        check("unicorn", 1, &[], 0, 0);
    }
}
