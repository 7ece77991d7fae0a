    experts::route<EXPERTS, COLUMNS, ROWS, USED, SIGMOID, NORMALIZED, BIASED, CHOICE_BIASED>(
        x, x_shape[0], router, constants, (unsigned*)tickets, normed, chosen, shares, logits
    );
